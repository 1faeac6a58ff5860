/**
 * The target of `rel="next"` in Link headers (RFC 8288): several headers, several links in one, relations quoted or not
 * and with commas inside the brackets. A link without brackets is taken when it stands alone (rules R70, R71). Undefined
 * where there is none, and where it leads on from nothing, which is back to the beginning: Cloudflare's serverless
 * registry says `?last=` at the end of a catalog (rule R71).
 */
export function nextLink(headers: readonly string[]): string | undefined {
  const link = findNext(headers)
  return link !== undefined && /[?&]last=$/.test(link) ? undefined : link
}

function findNext(headers: readonly string[]): string | undefined {
  for (const header of headers) {
    for (const [, target, parameters = ''] of header.matchAll(
      /<([^>]*)>((?:\s*;\s*[^,;"]+(?:"[^"]*")?)*)/g,
    )) {
      const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(parameters)
      const relations = (relation?.[1] ?? relation?.[2] ?? '').toLowerCase().split(/\s+/)
      if (target !== undefined && relations.includes('next')) return target
    }
    const bare = /^\s*([^<>\s;]+)\s*;\s*rel\s*=\s*"?next"?\s*$/i.exec(header)?.[1]
    if (bare !== undefined) return bare
  }
  return undefined
}
