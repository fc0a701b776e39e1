// Draws charts as SVG: node charts.mjs FOLDER < charts.json. Vega draws without a browser.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { parse, View } from 'vega'
import { compile } from 'vega-lite'

/** @typedef {import('./chart.ts').Chart} Chart */

const folder = process.argv[2]
const common = {
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  // Read on dark pages, too.
  background: 'white',
  padding: 12,
  config: { font: 'sans-serif', axis: { labelFontSize: 12, titleFontSize: 12 }, title: { fontSize: 14, anchor: 'start' } },
}
const colours = { domain: ['R', 'W'], range: ['#2a6f97', '#e09f3e'] }

/** Bars for R and W of each of those who were compared. @param {Chart} chart */
const bars = ({ title, unit, values }) => ({
  ...common,
  title,
  width: 520,
  data: { values },
  height: { step: 16 },
  encoding: {
    y: { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 400 }, scale: { paddingInner: 0.25 } },
    yOffset: { field: 'kind', scale: { domain: ['R', 'W'] } },
    x: { field: 'value', type: 'quantitative', title: unit, axis: { format: '.2~f' } },
  },
  layer: [
    { mark: 'bar', encoding: { color: { field: 'kind', scale: colours, title: null, legend: { orient: 'bottom' } } } },
    {
      mark: { type: 'text', align: 'left', dx: 4, fontSize: 11 },
      encoding: { text: { field: 'value', format: '.3~r' } },
    },
  ],
})

/** Lines over how many sessions there are. @param {Chart} chart */
const lines = ({ title, unit, values }) => ({
  ...common,
  title,
  width: 520,
  height: 260,
  data: { values },
  mark: { type: 'line', point: true },
  encoding: {
    x: { field: 'sessions', type: 'quantitative', scale: { type: 'log' }, title: 'sessions', axis: { format: '~s' } },
    y: { field: 'value', type: 'quantitative', title: unit, scale: { zero: true } },
    color: { field: 'name', type: 'nominal', sort: null, title: null, legend: { labelLimit: 360 } },
  },
})

mkdirSync(folder, { recursive: true })
for (const chart of /** @type {Chart[]} */ (await json(process.stdin))) {
  const { spec } = compile(chart.shape === 'bars' ? bars(chart) : lines(chart))
  const svg = await new View(parse(spec), { renderer: 'none' }).toSVG()
  writeFileSync(join(folder, `${chart.name}.svg`), `${svg}\n`)
}
