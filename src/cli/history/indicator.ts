import { addressOctets, parseAddress } from '../../config/addresses.ts';
import { TextFault } from '../../config/problems.ts';
import { addressToText } from '../../policy/address.ts';
import { nameToText } from '../../wire/name.ts';
import { readQuestionName } from '../query/question-name.ts';

/** What is looked for, as the history has it; or what is wrong with it. */
export type Indicator = { readonly value: string } | { readonly fault: string };

/**
 * A name, with `*.` or `**.` in front for those below, or an address. Feeds write dots as `[.]` so that nobody opens what they
 * name; U-labels, other forms of an address and a dot at the end are no difference.
 */
export function readIndicator(by: 'name' | 'address', text: string): Indicator {
  const plain = text.replace(/[[({]\.[\])}]/g, '.');
  if (by === 'address') {
    const address = parseAddress(plain.replace(/^\[(.*)\]$/, '$1'));
    if (address instanceof TextFault) return { fault: `${address.message}: ${address.fix}` };
    return { value: addressToText(addressOctets(address)) };
  }
  const [star = ''] = /^\*\*?\.(?=.)/.exec(plain) ?? [];
  const name = readQuestionName(plain.slice(star.length));
  if (typeof name === 'string') return { fault: name };
  return { value: star + nameToText(name).toLowerCase() };
}
