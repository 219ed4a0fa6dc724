/** Why octets are not a DNS message or name. A closed set: a test prints how often each was reached. */
export type WireErrorCode =
  | 'short' // the message ends inside a header, name, record or option
  | 'label-type' // a length octet that is neither a label nor a pointer (RFC 1035 §4.1.4, RFC 6891 §5)
  | 'pointer' // a pointer that does not go backward
  | 'pointer-depth' // more pointers than a name of 255 octets can need
  | 'name-length' // more than 255 octets (RFC 1035 §2.3.4)
  | 'question-count' // QDCOUNT is not 1 (RFC 9619)
  | 'section' // records where a query has none, OPT outside the additional section among them
  | 'opt' // two OPTs, an owner that is not the root, or options that do not fit (RFC 6891 §6.1.1)
  | 'cookie' // a COOKIE option of a length that none has (RFC 7873 §5.2.2)
  | 'class' // a record whose class is not the question's
  | 'trailing' // octets after the last record
  | 'text'; // a presentation name that is empty, too long or badly escaped

/** A refusal of input, as a value. `offset` is the octet (or character, for `text`) where reading stopped. */
export class WireError {
  readonly code: WireErrorCode;
  readonly offset: number;

  constructor(code: WireErrorCode, offset: number) {
    this.code = code;
    this.offset = offset;
  }
}
