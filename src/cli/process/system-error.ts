/** What an operator can do about an error of the system's when a listener could not start. */
export function explainSystemError(error: unknown): string {
  const { code, syscall, address, port, message } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  // A socket of the file system has a path as its address.
  if (address?.startsWith('/') === true)
    return `${address}: no socket can be made there (${code}); choose another path`;
  const where = address === undefined ? '' : ` ${address}${port === undefined ? '' : ` port ${port}`}`;
  switch (code) {
    case 'EADDRINUSE':
      return `${where.trim() || 'the address'} is taken: another program listens there (ss -lunpt shows which)`;
    case 'EACCES':
      return `no right to listen on${where}: ports below 1024 need CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `${where.trim()} is not an address of this machine`;
    default:
      return `${syscall ?? ''} ${message}`.trim();
  }
}
