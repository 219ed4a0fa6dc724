/**
 * Zones where anyone with an account gets a name, and which the public suffix list does not have: container registries,
 * object stores, queues and tunnels. A wildcard on one is treated like one on a private suffix. Looked up in the
 * providers' documentation on 2026-11-29.
 */
export function rentedZones(): string[] {
  return [...ZONES, ...AWS_REGIONS.map((region) => `dkr.ecr.${region}.amazonaws.com`)];
}

const ZONES = [
  // Object stores.
  'r2.cloudflarestorage.com',
  'wasabisys.com',
  'backblazeb2.com',
  'aliyuncs.com',
  'myqcloud.com',
  // Container registries and artifact stores.
  'azurecr.io',
  'pkg.dev',
  'jfrog.io',
  'cloudsmith.io',
  // Queues, vaults and databases.
  'servicebus.windows.net',
  'vault.azure.net',
  'database.windows.net',
  'documents.azure.com',
  'supabase.co',
  // Tunnels and catchers of requests.
  'serveo.net',
  'oast.fun',
  'oast.pro',
  'interact.sh',
  'requestrepo.com',
] as const;

const AWS_REGIONS = [
  'af-south-1',
  'ap-east-1',
  'ap-northeast-1',
  'ap-northeast-2',
  'ap-northeast-3',
  'ap-south-1',
  'ap-south-2',
  'ap-southeast-1',
  'ap-southeast-2',
  'ap-southeast-3',
  'ap-southeast-4',
  'ca-central-1',
  'ca-west-1',
  'eu-central-1',
  'eu-central-2',
  'eu-north-1',
  'eu-south-1',
  'eu-south-2',
  'eu-west-1',
  'eu-west-2',
  'eu-west-3',
  'il-central-1',
  'me-central-1',
  'me-south-1',
  'sa-east-1',
  'us-east-1',
  'us-east-2',
  'us-west-1',
  'us-west-2',
] as const;
