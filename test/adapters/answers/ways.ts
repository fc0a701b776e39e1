import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Notes that something happened to the handler, such as a callback. */
export type Note = (what: string) => void

/** One way of answering a request. */
export interface Way {
  readonly name: string
  /** @default 'GET' */
  readonly method?: string
  /** Not part of http2's compatibility API. */
  readonly http1Only?: true
  readonly answer: (req: IncomingMessage, res: ServerResponse, note: Note) => unknown
}

const text = 'as the plain server answers: ÄÖÜ €'
const large = Buffer.alloc(1_500_000, 'all work and no play makes Jack a dull boy\n')

/** A source that has to be read on for its end to come. */
function source(note: Note): Readable {
  let at = 0
  const stream = new Readable({
    read(size) {
      const part = large.subarray(at, (at += size))
      setImmediate(() => this.push(part.length === 0 ? null : part))
    },
  })
  return stream.once('close', () => note('the source is over'))
}

async function pipe(res: ServerResponse, note: Note): Promise<void> {
  const stream = source(note)
  stream.pipe(res)
  await once(stream, 'close')
}

export const ways: readonly Way[] = [
  { name: 'end()', answer: (_req, res) => res.end() },
  { name: 'end(text)', answer: (_req, res) => res.end(text) },
  { name: 'end(buffer)', answer: (_req, res) => res.end(Buffer.from(text)) },
  { name: 'end(bytes)', answer: (_req, res) => res.end(new Uint8Array([0, 1, 254, 255])) },
  { name: 'end(text, encoding)', answer: (_req, res) => res.end('00ff10', 'hex') },
  { name: 'end(callback)', answer: (_req, res, note) => res.end(() => note('end called back')) },
  { name: 'end(text, callback)', answer: (_req, res, note) => res.end(text, () => note('end called back')) },
  { name: 'end(text, encoding, callback)', answer: (_req, res, note) => res.end('00ff10', 'hex', () => note('end called back')) },
  { name: "end('')", answer: (_req, res) => res.end('') },
  { name: 'end(2 MB)', answer: (_req, res) => res.end(Buffer.alloc(2_000_000, 'x')) },
  {
    name: 'write, end()',
    answer(_req, res) {
      res.write(text)
      res.end()
    },
  },
  {
    name: 'write, end(text)',
    answer(_req, res) {
      res.write(text)
      res.end(text)
    },
  },
  {
    name: 'write with an encoding, end',
    answer(_req, res) {
      res.write('00ff10', 'hex')
      res.end()
    },
  },
  {
    name: "write(''), end",
    answer(_req, res) {
      res.write('')
      res.end(text)
    },
  },
  {
    name: 'several writes with callbacks, end(callback)',
    answer(_req, res, note) {
      for (const part of ['one', 'two', 'three']) res.write(part, () => note(`write ${part} called back`))
      res.write('f00f', 'hex', () => note('write hex called back'))
      res.end('the end', () => note('end called back'))
    },
  },
  {
    name: 'each write in the callback of the one before',
    answer: (_req, res, note) =>
      new Promise<void>((resolve) =>
        res.write('one', () =>
          res.write('two', () =>
            res.end('three', () => {
              note('end called back')
              resolve()
            }),
          ),
        ),
      ),
  },
  {
    name: 'writes with time between',
    async answer(_req, res) {
      for (const part of ['one', 'two', 'three']) {
        res.write(part)
        await sleep(2)
      }
      res.end()
    },
  },
  {
    name: 'cork, writes, uncork, end',
    answer(_req, res) {
      res.cork()
      res.write('one')
      res.write('two')
      res.uncork()
      res.end('three')
    },
  },
  {
    name: 'an answer that takes its time',
    async answer(_req, res) {
      await sleep(5)
      res.end(text)
    },
  },
  { name: 'writeHead(status), end', answer: (_req, res) => res.writeHead(202).end(text) },
  {
    name: 'writeHead(status, object), end',
    answer: (_req, res) => res.writeHead(200, { 'Content-Type': 'text/plain', 'X-Number': 7, 'X-List': ['a', 'b'] }).end(text),
  },
  {
    name: 'writeHead(status, flat array), end',
    answer: (_req, res) => res.writeHead(200, ['Content-Type', 'text/plain', 'X-Twice', 'a', 'X-Twice', 'b']).end(text),
  },
  {
    name: 'writeHead(status, pairs), end',
    answer: (_req, res) => res.writeHead(200, [['Content-Type', 'text/plain'], ['X-Twice', 'a'], ['X-Twice', 'b']] as unknown as string[]).end(text), // prettier-ignore
  },
  {
    name: 'writeHead(status, reason, object), end',
    answer: (_req, res) => res.writeHead(201, 'Made with care', { Location: '/made' }).end(text),
  },
  {
    name: 'writeHead(status, reason, flat array), end',
    answer: (_req, res) => res.writeHead(201, 'Made with care', ['Location', '/made']).end(text),
  },
  { name: 'writeHead(status, reason), end', answer: (_req, res) => res.writeHead(299, 'Odd').end(text) },
  {
    name: 'writeHead(status, object) over headers that were set',
    answer(_req, res) {
      res.setHeader('X-Over', 'set')
      res.setHeader('X-Stays', 'set')
      res.writeHead(200, { 'x-over': 'written' }).end(text)
    },
  },
  {
    name: 'writeHead(status, flat array) over headers that were set',
    answer(_req, res) {
      res.setHeader('X-Over', 'set')
      res.setHeader('X-Stays', 'set')
      res.writeHead(200, ['X-Over', 'written', 'Content-Length', '3']).end('abc')
    },
  },
  {
    name: 'writeHead with Content-Length, end',
    answer: (_req, res) => res.writeHead(200, { 'Content-Length': Buffer.byteLength(text) }).end(text),
  },
  {
    name: 'writeHead, writes, end',
    answer(_req, res) {
      res.writeHead(200, { 'Content-Type': 'text/plain' })
      res.write('one')
      res.end('two')
    },
  },
  {
    name: 'writeHead, and the rest later',
    async answer(_req, res) {
      res.writeHead(200, { 'Content-Type': 'text/plain' })
      await sleep(5)
      res.end(text)
    },
  },
  {
    name: 'flushHeaders, end',
    answer(_req, res) {
      res.flushHeaders()
      res.end(text)
    },
  },
  {
    name: 'setHeader, flushHeaders, and the rest later',
    async answer(_req, res) {
      res.setHeader('X-Early', 'yes')
      res.flushHeaders()
      await sleep(5)
      res.write('one')
      await sleep(5)
      res.end('two')
    },
  },
  {
    name: 'writeHead, flushHeaders, end',
    answer(_req, res) {
      res.writeHead(200, { 'X-Early': 'yes' })
      res.flushHeaders()
      res.end()
    },
  },
  { name: 'a redirect, 302', answer: (_req, res) => res.writeHead(302, { Location: '/cart' }).end() },
  {
    name: 'a redirect, 303, by statusCode',
    answer(_req, res) {
      res.statusCode = 303
      res.setHeader('Location', '/cart')
      res.end('See Other')
    },
  },
  {
    name: 'JSON with Content-Length and ETag',
    answer(_req, res) {
      const body = JSON.stringify({ text })
      res.setHeader('Content-Type', 'application/json; charset=utf-8')
      res.setHeader('Content-Length', Buffer.byteLength(body))
      res.setHeader('ETag', 'W/"1b-x"')
      res.end(body)
    },
  },
  { name: 'a large source, piped', answer: (_req, res, note) => pipe(res, note) },
  {
    name: 'a large source with its length, piped',
    answer(_req, res, note) {
      res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': large.length })
      return pipe(res, note)
    },
  },
  {
    name: 'a large source through pipeline()',
    answer: (_req, res, note) =>
      pipeline(source(note), res)
        .catch(() => note('the pipeline broke'))
        .then(() => note('pipeline called back')),
  },
  {
    name: "a large body by write, with 'drain' waited for",
    async answer(_req, res, note) {
      for await (const part of source(note)) if (!res.write(part)) await once(res, 'drain')
      res.end()
    },
  },
  {
    name: 'HEAD with Content-Length and body',
    method: 'HEAD',
    answer(_req, res) {
      res.setHeader('Content-Length', Buffer.byteLength(text))
      res.end(text)
    },
  },
  { name: 'HEAD, end()', method: 'HEAD', answer: (_req, res) => res.end() },
  {
    name: 'HEAD, written as a GET is',
    method: 'HEAD',
    answer(_req, res, note) {
      res.write('one', () => note('write called back'))
      res.end('two', () => note('end called back'))
    },
  },
  {
    name: '304 with an ETag',
    answer(_req, res) {
      res.statusCode = 304
      res.setHeader('ETag', '"abc"')
      res.end()
    },
  },
  { name: '304 by writeHead', answer: (_req, res) => res.writeHead(304, { ETag: '"abc"' }).end() },
  { name: '204', answer: (_req, res) => res.writeHead(204).end() },
  {
    name: '204 by statusCode, with a callback',
    answer(_req, res, note) {
      res.statusCode = 204
      res.end(() => note('end called back'))
    },
  },
  {
    name: 'Content-Length, several writes',
    answer(_req, res) {
      res.setHeader('Content-Length', 6)
      res.write('one')
      res.end('two')
    },
  },
  {
    name: 'chunked by name',
    http1Only: true,
    answer(_req, res) {
      res.setHeader('Transfer-Encoding', 'chunked')
      res.write('one')
      res.end('two')
    },
  },
  {
    name: 'chunks with trailers',
    answer(req, res) {
      if (req.httpVersion !== '1.0') res.setHeader('Trailer', 'X-Checksum')
      res.write('one')
      res.addTrailers({ 'X-Checksum': 'abc' })
      res.end('two')
    },
  },
  {
    name: 'end twice',
    answer(_req, res) {
      res.end(text)
      res.end()
    },
  },
  {
    name: 'end twice, with callbacks',
    answer(_req, res, note) {
      res.end(text, () => note('first end called back'))
      res.end(() => note('second end called back'))
    },
  },
  {
    name: 'write after end',
    http1Only: true, // http2 breaks the stream off, with the answer or without it.
    answer(_req, res, note) {
      res.end(text)
      res.write('late', () => note('late write called back'))
    },
  },
  {
    name: 'end(text) after end',
    http1Only: true,
    answer(_req, res, note) {
      res.end(text)
      res.end('late', () => note('late end called back'))
    },
  },
  {
    name: 'writeContinue first',
    answer(_req, res) {
      res.writeContinue()
      res.end(text)
    },
  },
  {
    name: 'writeProcessing first',
    http1Only: true,
    answer(_req, res) {
      res.writeProcessing()
      res.end(text)
    },
  },
  {
    name: 'writeEarlyHints first',
    answer(_req, res) {
      res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      res.end(text)
    },
  },
  {
    name: 'statusCode and statusMessage',
    answer(_req, res) {
      res.statusCode = 418
      res.statusMessage = 'Short and stout'
      res.end(text)
    },
  },
  {
    name: 'setHeader, appendHeader, removeHeader',
    answer(_req, res) {
      res.setHeader('X-A', 'a')
      res.setHeader('X-B', ['b1', 'b2'])
      res.setHeader('X-Gone', 'gone')
      res.appendHeader('X-B', 'b3')
      res.appendHeader('X-C', 'c')
      res.removeHeader('X-Gone')
      res.end(text)
    },
  },
  {
    name: 'setHeaders(Headers)',
    http1Only: true,
    answer: (_req, res) => res.setHeaders(new Headers([['x-a', 'a'], ['set-cookie', 'one=1'], ['set-cookie', 'two=2']])).end(text), // prettier-ignore
  },
  {
    name: 'setHeaders(Map)',
    http1Only: true,
    answer: (_req, res) => res.setHeaders(new Map<string, string | string[]>([['X-A', ['a', 'b']]])).end(text),
  },
  {
    name: 'without Date',
    answer(_req, res) {
      res.sendDate = false
      res.end(text)
    },
  },
  {
    name: 'removeHeader(Date)',
    answer(_req, res) {
      res.removeHeader('Date')
      res.end(text)
    },
  },
  { name: 'Connection: close', http1Only: true, answer: (_req, res) => res.writeHead(200, { Connection: 'close' }).end(text) },
  {
    name: 'Connection: close in a flat array',
    http1Only: true,
    answer: (_req, res) => res.writeHead(200, ['Connection', 'close']).end(text),
  },
  {
    name: "the application's Set-Cookie by setHeader",
    answer(_req, res) {
      res.setHeader('Set-Cookie', 'theme=dark; Path=/')
      res.end(text)
    },
  },
  {
    name: "several of the application's Set-Cookie by setHeader and appendHeader",
    answer(_req, res) {
      res.setHeader('Set-Cookie', ['theme=dark', 'lang=eo'])
      res.appendHeader('Set-Cookie', 'seen=1')
      res.end(text)
    },
  },
  {
    name: "the application's Set-Cookie by writeHead, in an object",
    answer: (_req, res) => res.writeHead(200, { 'Set-Cookie': ['theme=dark', 'lang=eo'] }).end(text),
  },
  {
    name: "the application's Set-Cookie by writeHead, lower case",
    answer: (_req, res) => res.writeHead(200, { 'set-cookie': 'theme=dark' }).end(text),
  },
  {
    name: "the application's Set-Cookie by writeHead, in a flat array",
    answer: (_req, res) => res.writeHead(200, ['Set-Cookie', 'theme=dark', 'Set-Cookie', 'lang=eo']).end(text),
  },
  {
    name: "the application's Set-Cookie by writeHead, in pairs",
    answer: (_req, res) => res.writeHead(200, [['Set-Cookie', 'theme=dark'], ['Set-Cookie', 'lang=eo']] as unknown as string[]).end(text), // prettier-ignore
  },
  {
    name: 'a page with all that a failed commit must take back',
    answer(_req, res, note) {
      res.setHeader('Content-Type', 'text/html')
      res.setHeader('Content-Encoding', 'identity')
      res.setHeader('Content-Disposition', 'inline')
      res.setHeader('Content-Language', 'eo')
      res.setHeader('Last-Modified', 'Mon, 02 Nov 2026 00:00:00 GMT')
      res.setHeader('ETag', '"abc"')
      res.setHeader('Set-Cookie', 'theme=dark')
      res.setHeader('Cache-Control', 'public, max-age=60')
      res.write('<p>', () => note('write called back'))
      res.end('</p>', () => note('end called back'))
    },
  },
  { name: 'a 500 of the application', answer: (_req, res) => res.writeHead(500, { 'Content-Type': 'text/plain' }).end(text) },
]
