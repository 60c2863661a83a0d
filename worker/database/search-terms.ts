// The words of full-text search: what is kept of a text, and queries made of the same words. Chinese, Japanese and
// Korean text has no spaces, so runs of it stand as their characters and as pairs of them: two characters within a
// name are found wherever they are.

const WORD = /[\p{L}\p{N}\p{M}]+/gu
const CJK =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー々〆]/u
const CJK_RUNS =
  /([\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー々〆]+)/u

/** Words by themselves and runs of CJK by themselves, in one spelling: compatibility forms and case are gone. */
function partsOf(text: string): string[] {
  const words = text.normalize('NFKC').toLowerCase().normalize('NFKC').match(WORD) ?? []
  return words.flatMap((word) => word.split(CJK_RUNS).filter((part) => part !== ''))
}

function pairsOf(characters: readonly string[]): string[] {
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`)
}

/** What is kept of a text. */
export function searchTerms(text: string): string[] {
  const terms = partsOf(text).flatMap((part) => {
    if (!CJK.test(part)) return [part]
    const characters = [...part]
    return [...characters, ...pairsOf(characters)]
  })
  return [...new Set(terms)]
}

/** For `search MATCH ?`: all words must be there, each from its beginning. Null when the text has no word. */
export function searchQuery(text: string): string | null {
  const terms = partsOf(text)
    .slice(0, WORDS_MAX)
    .flatMap((part) => {
      if (!CJK.test(part)) return [`"${part}"*`]
      const characters = [...part].slice(0, WORDS_MAX)
      // A word of FTS5 is quoted, so that nothing in it is read as a query; letters and digits are all it has.
      return (characters.length === 1 ? characters : pairsOf(characters)).map((term) => `"${term}"`)
    })
  return terms.length === 0 ? null : terms.join(' AND ')
}
const WORDS_MAX = 32
