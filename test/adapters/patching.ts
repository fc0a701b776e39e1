import type { IncomingMessage, ServerResponse } from 'node:http'
import { createGzip, type Gzip } from 'node:zlib'

/** Middleware of Express and connect. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void

type Methods = Pick<ServerResponse, 'writeHead' | 'write' | 'end' | 'on'>
type Listener = (...args: unknown[]) => void

/** A response with the parts of Node's own that such middleware uses. */
type Patched = ServerResponse & { _header: string | null; _implicitHeader(): void }

/** Calls a listener when the head is about to go out, as the package on-headers does: by a method on the response itself. */
export function onHeaders(res: ServerResponse, listener: () => void): void {
  const { writeHead } = res
  let fired = false
  res.writeHead = function (this: ServerResponse, ...args: readonly unknown[]) {
    const [status] = args as [number]
    setHead(this, args)
    if (!fired) {
      fired = true
      listener()
    }
    return writeHead.call(this, this.statusCode === status ? status : this.statusCode)
  }
}

function setHead(res: ServerResponse, args: readonly unknown[]): void {
  const [status, reason] = args
  const headers = args[typeof reason === 'string' ? 2 : 1]
  if (typeof reason === 'string') res.statusMessage = reason
  res.statusCode = status as number
  if (typeof headers !== 'object' || headers === null) return
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value as string)
}

export interface CompressionOptions {
  /** Bytes from which on an answer is compressed. @default 1024 */
  readonly threshold?: number
  /** How it looks whether the head is out: releases before 1.8 looked at `_header`. @default 'headersSent' */
  readonly looksAt?: 'headersSent' | '_header'
}

/** Compresses answers as the package compression does: by methods on the response itself, and a stream between. */
export function compression({ threshold = 1024, looksAt = 'headersSent' }: CompressionOptions = {}): Middleware {
  return (req, response, next) => {
    const res = response as Patched
    const { write, end, on }: Methods = response
    let ended = false
    let length: number | undefined
    let stream: Gzip | undefined
    let drains: Listener[] | null = []

    const hasHead = (): boolean => {
      const { _header: head, headersSent } = res
      return looksAt === '_header' ? Boolean(head) : headersSent
    }
    const begin = (): void => {
      const { _implicitHeader: implicitHeader } = res
      implicitHeader.call(res)
    }
    const writeBelow = write as (this: ServerResponse, ...args: readonly unknown[]) => boolean
    const endBelow = end as (this: ServerResponse, ...args: readonly unknown[]) => ServerResponse

    response.write = ((chunk: string | Buffer, encoding?: BufferEncoding) => {
      if (ended) return false
      if (!hasHead()) begin()
      return stream === undefined ? writeBelow.call(res, chunk, encoding) : stream.write(toBuffer(chunk, encoding))
    }) as Methods['write']

    response.end = ((chunk?: string | Buffer, encoding?: BufferEncoding) => {
      if (ended) return res
      if (!hasHead()) {
        if (!res.getHeader('Content-Length')) length = chunk === undefined ? 0 : toBuffer(chunk, encoding).length
        begin()
      }
      if (stream === undefined) return endBelow.call(res, chunk, encoding)
      ended = true
      stream.end(chunk === undefined ? undefined : toBuffer(chunk, encoding))
      return res
    }) as Methods['end']

    response.on = ((type: string, listener: Listener) => {
      if (drains === null || type !== 'drain') return on.call(res, type, listener)
      if (stream === undefined) drains.push(listener)
      else stream.on(type, listener)
      return res
    }) as Methods['on']

    onHeaders(res, () => {
      const waiting = drains ?? []
      const tooShort = Number(res.getHeader('Content-Length')) < threshold || (length ?? Infinity) < threshold
      if (tooShort || req.method === 'HEAD' || res.hasHeader('Content-Encoding')) {
        drains = null
        for (const listener of waiting) on.call(res, 'drain', listener)
        return
      }
      stream = createGzip()
      const gzip = stream
      for (const listener of waiting) gzip.on('drain', listener)
      res.setHeader('Content-Encoding', 'gzip')
      res.removeHeader('Content-Length')
      gzip.on('data', (chunk: Buffer) => {
        if (!writeBelow.call(res, chunk)) gzip.pause()
      })
      gzip.on('end', () => endBelow.call(res))
      on.call(res, 'drain', () => void gzip.resume())
    })
    next()
  }
}

function toBuffer(chunk: string | Buffer, encoding?: BufferEncoding): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
}

/** Stamps answers as response-time and morgan do: a header at the last moment, a note when all is out. */
export function stamp(notes: string[]): Middleware {
  return (_req, res, next) => {
    onHeaders(res, () => {
      notes.push('head')
      res.setHeader('X-Response-Time', '1ms')
    })
    res.on('finish', () => notes.push('finish'))
    next()
  }
}
