// The words of full-text search: what is kept of a name, and what a query asks for.
import { expect, it } from 'vitest'
import { searchQuery, searchTerms } from '../../worker/database/search-terms.ts'

const kept: [text: string, terms: string[]][] = [
  ['Acme Payments', ['acme', 'payments']],
  ['acme-payments_2', ['acme', 'payments', '2']],
  ['ＡＣＭＥ ㈱', ['acme', '株']],
  ['결제팀', ['결', '제', '팀', '결제', '제팀']],
  ['결제pay', ['결', '제', '결제', 'pay']],
  ['東京データ', ['東', '京', 'デ', 'ー', 'タ', '東京', '京デ', 'デー', 'ータ']],
  ['kim@corp.kr', ['kim', 'corp', 'kr']],
  ['ＫＫ kk', ['kk']],
  ['"*^:(){}-', []],
]
it.each(kept)('%s is kept as its words', (text, terms) => expect(searchTerms(text)).toEqual(terms))

const asked: [text: string, query: string | null][] = [
  ['pay', '"pay"*'],
  ['Acme pay', '"acme"* AND "pay"*'],
  ['결', '"결"'],
  ['결제팀', '"결제" AND "제팀"'],
  ['a"b OR c*', '"a"* AND "b"* AND "or"* AND "c"*'],
  ['NEAR(x, 3)', '"near"* AND "x"* AND "3"*'],
  ["'; DROP TABLE x; --", '"drop"* AND "table"* AND "x"*'],
  ['"*^', null],
  ['', null],
]
it.each(asked)('%s asks for its words and nothing else', (text, query) =>
  expect(searchQuery(text)).toBe(query),
)
