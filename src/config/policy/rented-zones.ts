/**
 * Zones where anyone with an account gets a name, and which the public suffix list does not have: container registries,
 * object stores, queues and tunnels. A wildcard on one is treated like one on a private suffix.
 *
 * A comment behind a zone says whose it is. Excerpts of pages that name the zone were read in November 2026: for R2 those of
 * others, else the provider's. The part in front, and zones without a comment, are partly from general knowledge. Registries with one name for all customers (`pkg.dev`) are not here.
 */
export function rentedZones(): string[] {
  return [...ZONES, ...AWS_REGIONS.map((region) => `dkr.ecr.${region}.amazonaws.com`)];
}

const ZONES = [
  // Object stores.
  'r2.cloudflarestorage.com', // ACCOUNT.r2.cloudflarestorage.com: Cloudflare R2, S3 API
  'wasabisys.com', // BUCKET.s3.REGION.wasabisys.com: Wasabi, service URLs and host designation
  'backblazeb2.com', // BUCKET.s3.REGION.backblazeb2.com: Backblaze B2, S3-compatible API
  'aliyuncs.com', // BUCKET.oss-REGION.aliyuncs.com: Alibaba Cloud OSS
  'myqcloud.com',
  // Container registries and artifact stores.
  'azurecr.io',
  'jfrog.io', // INSTANCE.jfrog.io: JFrog, Docker repository URL formats
  // Queues, vaults and databases.
  'servicebus.windows.net',
  'vault.azure.net',
  'database.windows.net',
  'documents.azure.com',
  'supabase.co', // PROJECT.supabase.co: Supabase, client libraries
  // Tunnels and catchers of requests.
  'serveo.net',
  'oast.fun', // these six: interactsh, the default of -server
  'oast.live',
  'oast.me',
  'oast.online',
  'oast.pro',
  'oast.site',
  'interact.sh',
  'requestrepo.com',
  // AWS in China: ACCOUNT.dkr.ecr.REGION.amazonaws.com.cn: Amazon ECR, private registries
  'dkr.ecr.cn-north-1.amazonaws.com.cn',
  'dkr.ecr.cn-northwest-1.amazonaws.com.cn',
] as const;

/** ACCOUNT.dkr.ecr.REGION.amazonaws.com is Amazon ECR's private registry. The list of regions is from general knowledge. */
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
