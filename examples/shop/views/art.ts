import { html, type Html } from './html.ts'

// Drawn on 240 by 200; the classes take their colours from the theme (shop.css).
const art: Record<string, Html> = {
  weekender: html`<path class="line leather" d="M86 82c0-50 68-50 68 0" stroke-width="8" />
    <path class="moss" d="M42 92q3-16 20-16h116q17 0 20 16l10 62q2 16-14 16H46q-16 0-14-16z" />
    <path class="moss-deep" d="M36 140h168l4 16q0 14-14 14H46q-15 0-14-14z" />
    <path class="leather" d="M74 76h14v94H74zM152 76h14v94h-14z" />
    <rect class="moss-deep" x="98" y="106" width="44" height="32" rx="5" />
    <path class="line cream thin dashed" d="M56 86h128" />
    <circle class="glow" cx="81" cy="104" r="3.5" /><circle class="glow" cx="159" cy="104" r="3.5" />
    <path class="clay" d="M142 106h14l-3 22-5-5-6 5z" />`,
  lantern: html`<circle class="halo" cx="120" cy="106" r="76" />
    <path class="line ink" d="M98 52c0-32 44-32 44 0" stroke-width="6" />
    <path class="ink" d="M90 60q4-14 18-14h24q14 0 18 14z" />
    <rect class="ink" x="80" y="60" width="80" height="12" rx="6" />
    <rect class="glow" x="88" y="72" width="64" height="72" rx="4" />
    <path class="cream" d="M120 88c14 18 16 24 16 32a16 16 0 0 1-32 0c0-8 2-14 16-32z" />
    <path class="clay" d="M120 106c7 9 8 13 8 17a8 8 0 0 1-16 0c0-4 1-8 8-17z" />
    <path class="line ink thin" d="M104 72v72M136 72v72" />
    <rect class="ink" x="80" y="144" width="80" height="12" rx="6" />
    <path class="ink" d="M86 156h68l6 16q0 4-6 4H86q-6 0-6-4z" />`,
  blanket: html`<rect class="clay" x="38" y="134" width="164" height="38" rx="19" />
    <path class="cream" d="M64 134h14v38H64zM86 134h6v38h-6z" />
    <rect class="sand-deep" x="46" y="98" width="150" height="38" rx="19" />
    <path class="clay" d="M150 98h14v38h-14zM136 98h6v38h-6z" />
    <rect class="moss" x="52" y="62" width="138" height="38" rx="19" />
    <path class="cream" d="M82 62h8v38h-8zM98 62h20v38H98zM126 62h8v38h-8z" />
    <path class="line moss-deep thin" d="M172 74c8 0 8 14 0 14" /><path class="line leather thin" d="M178 110c8 0 8 14 0 14" /><path
      class="line leather thin"
      d="M184 146c8 0 8 14 0 14"
    />`,
  mug: html`<path class="line steam" d="M98 34c-10 12 10 16 0 30M122 26c-10 14 10 18 0 34M146 34c-10 12 10 16 0 30" stroke-width="5" />
    <path class="line cream" d="M158 98h14a18 18 0 0 1 0 44h-20" stroke-width="11" />
    <path class="cream" d="M76 82h90l-6 80q-1 12-14 12H96q-13 0-14-12z" />
    <path class="shade" d="M146 82h20l-6 80q-1 12-14 12h-12q12-4 12-34z" />
    <ellipse class="sea-deep" cx="121" cy="82" rx="47" ry="10" /><ellipse class="coffee" cx="121" cy="83" rx="39" ry="6.5" />
    <path class="sea-deep" d="M92 140l16-24 10 12 8-10 20 22z" /><circle class="glow" cx="138" cy="112" r="6" />`,
  journal: html`<g transform="rotate(-7 120 104)">
    <rect class="cream" x="72" y="40" width="106" height="132" rx="6" />
    <path class="line thin shade-line" d="M172 46v120M176 46v120" />
    <rect class="clay" x="64" y="36" width="106" height="134" rx="9" />
    <path class="leather" d="M73 36h9v134h-9q-9 0-9-9V45q0-9 9-9z" />
    <rect class="cream" x="98" y="62" width="54" height="34" rx="4" />
    <path class="line thin leather" d="M106 74h38M106 84h24" />
    <path class="ink" d="M156 36h7v134h-7z" />
    <path class="glow" d="M112 170h9v22l-4.5-5-4.5 5z"
  /></g>`,
  flask: html`<rect class="ink" x="102" y="28" width="36" height="22" rx="6" />
    <rect class="sea-deep" x="98" y="46" width="44" height="12" rx="4" />
    <path class="sea" d="M100 58h40c2 16 18 18 18 38v66q0 14-14 14H96q-14 0-14-14V96c0-20 16-22 18-38z" />
    <path class="shade" d="M128 58h12c2 16 18 18 18 38v66q0 14-14 14h-16q12-2 12-16V96c0-18-10-22-12-38z" />
    <path class="cream" d="M92 146l20-32 12 16 8-10 18 26z" /><circle class="glow" cx="136" cy="104" r="7" />
    <path class="line cream thin" d="M92 156h56" /><path class="line sea-deep thin" d="M84 92h72" />`,
  clock: html`<path class="line leather" d="M88 158l-12 18M152 158l12 18" stroke-width="9" />
    <path class="line leather" d="M108 36c0-16 24-16 24 0" stroke-width="6" />
    <circle class="leather" cx="120" cy="104" r="66" /><circle class="cream" cx="120" cy="104" r="54" />
    <path class="line ink thin" d="M120 56v8M120 144v8M72 104h8M160 104h8" />
    <path class="line ink" d="M120 104V74" stroke-width="6" /><path class="line ink" d="M120 104l24 14" stroke-width="5" />
    <path class="line clay thin" d="M120 112l-26-34" /><circle class="clay" cx="120" cy="104" r="5" />`,
  tent: html`<path class="hill" d="M14 176c6-52 72-66 108-34s92-8 104 34z" />
    <circle class="glow" cx="190" cy="46" r="15" />
    <path class="glow" d="M56 44l2 6 6 2-6 2-2 6-2-6-6-2 6-2zM96 26l1.5 4 4 1.5-4 1.5-1.5 4-1.5-4-4-1.5 4-1.5z" />
    <path class="clay" d="M116 58l84 112H32z" /><path class="leather" d="M116 58l84 112h-50z" />
    <path class="ink" d="M116 92l30 78H86z" /><path class="glow" d="M116 118l20 52H98z" />
    <path class="line ink thin" d="M116 58l-6-10M116 58l6-10M32 170l-14 6M200 170l14 6" />`,
}

/** The picture of a product. Its name stands beside it, so it says nothing to a screen reader. */
export function picture(sku: string): Html {
  return html`<svg class="art" viewBox="0 0 240 200" aria-hidden="true">
    <ellipse class="shade" cx="120" cy="176" rx="86" ry="8" />
    ${art[sku]}
  </svg>`
}

/** A valley with a lit window: day in the light theme, night in the dark one. */
export const valley = html`<svg class="valley" viewBox="0 0 640 400" preserveAspectRatio="xMidYMax slice" aria-hidden="true">
  <rect class="sky" width="640" height="400" />
  <g class="stars">
    <circle cx="70" cy="60" r="2" />
    <circle cx="150" cy="110" r="1.5" />
    <circle cx="230" cy="44" r="2" />
    <circle cx="318" cy="96" r="1.5" />
    <circle cx="392" cy="40" r="2" />
    <circle cx="560" cy="140" r="1.5" />
    <circle cx="596" cy="50" r="2" />
    <circle cx="36" cy="160" r="1.5" />
    <circle cx="272" cy="150" r="1.5" />
  </g>
  <circle class="orb-halo" cx="474" cy="112" r="82" />
  <circle class="orb" cx="474" cy="112" r="48" />
  <path class="ridge-3" d="M0 236l90-92 66 62 88-112 96 118 70-62 92 82 60-46 78 76v138H0z" />
  <path class="ridge-2" d="M0 286c80-60 150-54 226-14s150 40 226-8 130-40 188-4v140H0z" />
  <path class="ridge-1" d="M0 342c110-66 220-50 320-22s210 20 320-44v124H0z" />
  <path class="path" d="M330 400c-26-26 66-34 44-54s-40-12-22-26l8 1c-8 10 24 12 38 26s-26 30 6 53z" />
  <g class="cabin">
    <path class="cabin-wall" d="M308 270h92v56h-92z" />
    <path class="cabin-roof" d="M296 274l58-44 58 44z" />
    <path class="cabin-roof" d="M378 236h12v24h-12z" />
    <path class="window" d="M322 288h20v18h-20zM366 288h20v38h-20z" />
  </g>
  <g class="trees"><path d="M92 346l22-76 22 76zM128 358l26-92 26 92zM512 330l24-84 24 84zM556 344l20-66 20 66zM468 336l16-54 16 54z" /></g>
</svg>`
