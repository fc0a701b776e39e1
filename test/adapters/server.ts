import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createHttp2Server, createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Certificate } from './certificate.ts'

type Http2Listener = (req: Http2ServerRequest, res: Http2ServerResponse) => void

export interface Listening {
  readonly port: number
  readonly url: string
  close(): Promise<void>
}

/** A server on a free port of the loopback. Over http2 its listener gets the compatibility API. */
export async function listen(
  listener: (req: IncomingMessage, res: ServerResponse) => void,
  { http2 = false, tls }: { readonly http2?: boolean; readonly tls?: Certificate } = {},
): Promise<Listening> {
  const sockets = new Set<Socket>()
  const server = start(listener, http2, tls)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}

function start(listener: RequestListener, http2: boolean, tls: Certificate | undefined) {
  const compatible = listener as unknown as Http2Listener
  if (http2) return tls === undefined ? createHttp2Server(compatible) : createSecureServer(tls, compatible)
  return tls === undefined ? createServer(listener) : createHttpsServer(tls, listener)
}
