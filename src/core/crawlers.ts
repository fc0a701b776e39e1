import type { ClientView } from './request.ts'
import type { SessionId } from './token.ts'

/** How long a crawler's session lives, in ms. */
export const crawlerLifetime = 60_000

const atMost = 1000

/**
 * The sessions that crawlers share, as Tomcat's CrawlerSessionManagerValve does it: a crawler sends no cookie back, and each of its
 * requests that writes would leave a session of its own. Known to this process alone.
 */
export class Crawlers {
  // In the order of creation: the first one is the first to be of no more use.
  readonly #ids = new Map<string, SessionId>()

  idOf(key: string): SessionId | undefined {
    return this.#ids.get(key)
  }

  remember(key: string, id: SessionId): void {
    this.#ids.delete(key)
    this.#ids.set(key, id)
    if (this.#ids.size > atMost) this.#ids.delete(this.#ids.keys().next().value!)
  }
}

/** What a crawler's requests have in common: its name and its whole address. Null for everybody else. */
export function crawlerOf(view: ClientView): string | null {
  const name = wellKnown.exec(view.header('user-agent')?.slice(0, 512) ?? '')?.[0]
  return name === undefined || view.address === undefined ? null : `${name} ${view.address.slice(0, 64)}`
}

// By the names that their owners tell. One that lies about its name is a visitor like any other.
const wellKnown = new RegExp(
  [
    'Googlebot|Google-InspectionTool|GoogleOther|Storebot-Google|AdsBot-Google|Mediapartners-Google|FeedFetcher-Google',
    'bingbot|adidxbot|BingPreview|Slurp|DuckDuckBot|DuckAssistBot|Baiduspider|YandexBot|YandexImages|Applebot|PetalBot|Sogou web spider',
    'SeznamBot|Qwantbot|Bravebot|MojeekBot|Yeti|Naverbot|coccocbot',
    'facebookexternalhit|meta-externalagent|FacebookBot|Twitterbot|LinkedInBot|Pinterestbot|Slackbot|Discordbot|TelegramBot|WhatsApp',
    'GPTBot|OAI-SearchBot|ChatGPT-User|ClaudeBot|Claude-User|Claude-SearchBot|PerplexityBot|Amazonbot|Bytespider|CCBot|cohere-ai|Diffbot',
    'AhrefsBot|SemrushBot|MJ12bot|DotBot|rogerbot|BLEXBot|DataForSeoBot|archive\\.org_bot|ia_archiver|heritrix',
    'UptimeRobot|Pingdom\\.com_bot|StatusCake|Site24x7',
  ].join('|'),
)
