import { nameToText } from '../../wire/name.ts';

/**
 * Registered domains of well-known sites, services and tools, by their public suffix. Each has an owner whom many people know,
 * so none of them is a slip or a trap for another: `wikimedia.org` is no misspelled `wikipedia.org`. Browsers keep such a list
 * for the same purpose (Chromium's "top domains"). Source: general knowledge as of 2026-11, written for namegate; a release
 * changes it. What the list leaves out is compared like any name.
 */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  com: `
    abcnews accuweather adobe adroll adyen agoda airbnb airtable akamai alibaba alicdn aliexpress alipay aliyun
    allrecipes amazon amazonaws amctheatres americanexpress anaconda android anthropic aol aolcdn apple appspot
    asana ask atlassian att aws azure baidu bandcamp bankofamerica barclays barnesandnoble basecamp bbc bestbuy
    binance bing bitly bitwarden blizzard blogger blogspot bloomberg booking bostonglobe box brave britannica
    bstatic bugsnag businessinsider buzzfeed byteimg canonical canva capitalone cbs cbsnews cdninstagram chase
    checkpoint chegg chicagotribune cisco citi citrix cloud cloudera cloudflare cloudflareinsights cloudinary
    cloudsmith cnbc cnn codecademy coinbase comcast constantcontact crashlytics crowdstrike crunchbase
    crunchyroll dailymail dailymotion databricks datadoghq dell delta deviantart digicert digitalocean discord
    discordapp disney disneyplus disqus docker docusign doordash doubleclick dribbble dropbox dropboxusercontent
    duckduckgo duolingo dynatrace ea ebay economist engadget entrust epicgames eset espn etsy eventbrite
    evernote expedia experian f5 facebook fandom fastcompany fastly fedex fidelity figma firefox fiverr flickr
    fontawesome forbes force ford fortawesome fortinet fortune foursquare foxnews freepik freshdesk gamespot
    gartner genius gettyimages ggpht giphy github githubapp githubassets githubstatus githubusercontent
    gitkraken gitlab gizmodo glassdoor globo gmail godaddy gofundme goodreads google google-analytics
    googleadservices googleapis googlesource googlesyndication googletagmanager googleusercontent googlevideo
    grafana grammarly groupon grubhub gstatic hashicorp hbo hbomax heroku herokuapp hetzner hilton homedepot
    honda hotels hotmail hp hpe hubspot huffpost hulu hyundai ibm ibyteimg icloud ikea imdb imgur indeed infoq
    instagram instructables intel intercom intuit jetbrains jfrog jquery jsdelivr kaggle kaspersky kayak
    kickstarter kotaku kraken lastpass latimes launchdarkly leetcode lenovo licdn lifehacker linkedin linode
    linux linuxmint live livejournal logitech logitechg logmein lowes lyft macys mailchimp mailgun mapbox
    marketwatch marriott mashable mastercard mathworks mattermost mcafee mcdonalds mediafire medium mercadolibre
    mercadolivre messenger meta microsoft microsoftonline miro mixpanel mlstatic monday mongodb morningstar
    mozilla msauth msftauth msn mysql mzstatic namecheap nasdaq nationalgeographic nature naver nba nbcnews
    netflix netgear netlify newegg newrelic newyorker nfl nginx nike nikkei nintendo nodesource nokia norton
    notion npmjs nvidia nypost nytimes office office365 okta onedrive openai opendns opera optimizely oracle
    oreilly outlook overleaf pagerduty pandora patreon paypal paypalobjects pcmag pexels philips pinimg
    pinterest pixabay playstation politico postman prezi priceline prnewswire pythonanywhere qantas qcloud qnap
    qualcomm qualtrics qualys quora rackspace rakuten rapid7 redbubble reddit redditmedia redditstatic redhat
    reuters ring roblox roku rollingstone ryanair sabre salesforce salon samsung samsungapps sap scdn
    sciencedirect scribd sears seattletimes segment sendgrid sfgate sharepoint shopify shutterstock skype slack
    slack-edge smartsheet snapchat snowflake softonic sonatype sony sophos soundcloud southwest splunk spotify
    springer sprint square squarespace squarespace-cdn squareup stackexchange stackoverflow staples starbucks
    statcounter statista steamcommunity steampowered stripe substack suse swift symantec synology t-mobile
    tableau taboola taobao target teamviewer techcrunch techradar tencent tesla theatlantic theguardian theverge
    thomsonreuters ticketmaster tiktok tiktokcdn time tmobile toyota travelocity travis-ci trello trendmicro
    tripadvisor trustpilot ttwstatic tumblr twilio twimg twitter typeform typekit uber ubisoft ubuntu udemy
    unity unity3d unsplash ups upwork usatoday usbank usps variety venmo verisign verizon vimeo vimeocdn visa
    visualstudio vk vmware vox vultr walgreens walmart washingtonpost wayfair weather webex webmd weebly
    wellsfargo whatsapp wikihow windows windowsupdate wired wix wixstatic wordpress workday wsj xbox xerox
    xfinity xiaomi yahoo yammer yandex yarnpkg yelp youtube ytimg zapier zendesk zillow zoho zoominfo zscaler
    zynga`,
  net: `
    akadns akamai akamaiedge akamaihd akamaized att azure azureedge azurefd battle behance cloudfront comcast
    datatables doubleclick edgekey edgesuite facebook fastly fbcdn hinet launchpad live msauth msecnd msedge
    msftauth php pstatic researchgate ripe slideshare sourceforge speedtest sstatic trafficmanager windows
    xiaomi yahoodns`,
  org: `
    acm alpinelinux apache archive archlinux arxiv bitcoin blender centos change chromium clojars clojure
    cocoapods coursera cpan craigslist creativecommons debian drupal eclipse eff erlang fedoraproject ffmpeg
    freebsd freedesktop gentoo gimp gnome gnu gnupg golang gradle graphviz guidestar haskell iana icann ieee
    ietf imagemagick inkscape isc iso jenkins-ci joomla jquery kde kernel khanacademy kotlinlang letsencrypt
    libreoffice linuxfoundation llvm lua manjaro mariadb mayoclinic metacpan moodle mozilla netbsd nginx nodejs
    npmjs npr ntp numpy ocaml openbsd openjdk openssl openstack openstreetmap opensuse openwrt owasp packagist
    pbs perl plos postgresql pypi python pythonhosted pytorch qemu raspberrypi ruby-lang rubygems rubyonrails
    rust-lang sagemath samba scala-lang scala-sbt scikit-learn scipy signal slf4j sonatype sqlite stackage swift
    tensorflow torproject unicef unicode videolan vim w3 whatwg wikibooks wikidata wikimedia wikinews wikipedia
    wikiquote wikisource wikiversity wikivoyage wiktionary wireshark wordpress worldbank xmpp zotero`,
  io: `
    cncf codecov crates docker gitbook github gitlab intercom istio jenkins jfrog jsr k8s kubernetes linkerd
    micronaut opentelemetry packagecloud pantheon portainer prometheus quarkus quay rancher readthedocs segment
    sentry spinnaker spring statuspage terraform`,
  dev: 'dart deno flutter pkg pub svelte web workers',
  co: 'elastic huggingface',
  edu: 'berkeley columbia cornell harvard illinois princeton stanford umich washington',
  gov: 'census nasa nist',
  tv: 'twitch',
  us: 'zoom',
  ms: 'aka',
};

const NAMES: ReadonlySet<string> = new Set(
  Object.entries(WELL_KNOWN).flatMap(([suffix, labels]) =>
    labels
      .split(/\s+/)
      .filter((label) => label !== '')
      .map((label) => `${label}.${suffix}`),
  ),
);

/** Whether the name that stands from `start` on is a well-known registered domain. `name`: a wire name in lower case. */
export function isWellKnown(name: Uint8Array, start: number): boolean {
  return NAMES.has(nameToText(name.subarray(start)));
}
