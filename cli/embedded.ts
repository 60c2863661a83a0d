// The two files of the project that the command carries with it. Run from source they are read where they
// stand; tools/build-cli.ts puts their texts in place of this module.
import { readFileSync } from 'node:fs'

const read = (file: string) => readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')

/** The default role catalogue, YAML. */
export const catalogue: string = read('policy/catalogue.yaml')
export const version: string = JSON.parse(read('package.json')).version
