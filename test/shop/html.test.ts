import { expect, it } from 'vitest'
import { html } from '../../examples/shop/views/html.ts'

it('escapes every value, in text and in attributes', () => {
  const typed = `<b title='"'>&</b>`
  expect(html`<p title="${typed}">${typed}</p>`.text).toBe(
    '<p title="&lt;b title=&#39;&quot;&#39;&gt;&amp;&lt;/b&gt;">&lt;b title=&#39;&quot;&#39;&gt;&amp;&lt;/b&gt;</p>',
  )
})

it('takes other templates and lists of them as they are, and leaves nothing for what is absent', () => {
  const parts = ['<1>', '2'].map((value) => html`<i>${value}</i>`)
  expect(html`<b>${parts}</b>${[null, undefined, false, 0]}`.text).toBe('<b><i>&lt;1&gt;</i><i>2</i></b>0')
})
