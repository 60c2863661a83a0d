-- The words of what search_entries names, under the same rowid. Chinese, Japanese and Korean text is written
-- as its characters and pairs of them (database/search.ts), so that two of them are found within a name.
CREATE VIRTUAL TABLE search USING fts5(terms, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3');
