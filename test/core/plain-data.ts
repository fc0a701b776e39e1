import fc from 'fast-check'

/** Any text that JavaScript can hold: lone surrogates, NUL, emoji, line separators. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.nat(0xffff), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('\ud800', '\udc00\ud800', '\u0000', '\u2028', '👩‍👩‍👧', '</script>', '"\\', 'constructor', '\\u005f_proto__'),
)

export const anyKey = anyText.filter((key) => key !== '__proto__')

// JSON has no -0: it is written as 0.
const anyNumber = fc
  .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger())
  .map((number) => (number === 0 ? 0 : number))

/** Data as the JSON codec carries it. */
export const { plain } = fc.letrec<{ plain: unknown }>((tie) => ({
  plain: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constant(null), fc.boolean(), anyNumber, anyText),
    fc.array(tie('plain'), { maxLength: 4 }),
    fc.dictionary(anyKey, tie('plain'), { maxKeys: 4, noNullPrototype: true }),
  ),
}))

/** Data as the rich codec carries it. */
export const { richer } = fc.letrec<{ richer: unknown }>((tie) => ({
  richer: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(null, undefined, true, -0, NaN, Infinity, -Infinity),
      fc.double(),
      anyText,
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
    ),
    fc.array(tie('richer'), { maxLength: 4 }),
    fc.dictionary(anyKey, tie('richer'), { maxKeys: 4, noNullPrototype: true }),
    fc.array(fc.tuple(anyText, tie('richer')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('richer'), { maxLength: 3 }).map((items) => new Set(items)),
  ),
}))
