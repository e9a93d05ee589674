/** What the simulated camera says: the bodies of its SOAP answers and its discovery answer. */

export interface StreamOption {
  readonly token: string;
  readonly width: number;
  readonly height: number;
  readonly uri: string;
}

export interface DeviceState {
  readonly name: string;
  readonly serial: string;
  readonly mac: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly firmware: string;
  readonly hardwareId: string;
  readonly urn: string;
  /** "host:port" of its HTTP services. */
  readonly host: string;
  readonly address: string;
  readonly streams: readonly StreamOption[];
  nowMs: () => number;
}

const namespaces =
  'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tds="http://www.onvif.org/ver10/device/wsdl" ' +
  'xmlns:trt="http://www.onvif.org/ver10/media/wsdl" xmlns:tt="http://www.onvif.org/ver10/schema" ' +
  'xmlns:ter="http://www.onvif.org/ver10/error" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" ' +
  'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"';

function envelope(body: string, header = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope ${namespaces}>${header}<s:Body>${body}</s:Body></s:Envelope>`;
}

export function fault(code: 'Sender' | 'Receiver', subcode: string, reason: string): string {
  return envelope(
    `<s:Fault><s:Code><s:Value>s:${code}</s:Value><s:Subcode><s:Value>ter:${subcode}</s:Value></s:Subcode></s:Code>` +
      `<s:Reason><s:Text xml:lang="en">${escape(reason)}</s:Text></s:Reason></s:Fault>`,
  );
}

/** The operations that ONVIF lets anybody call before he has logged in. */
export const openOperations: ReadonlySet<string> = new Set(['GetSystemDateAndTime', 'GetServices', 'GetCapabilities']);

/** Null for an operation this device does not have. */
export function answer(device: DeviceState, operation: string, request: string): string | null {
  const token = /<(?:\w+:)?ProfileToken[^>]*>([^<]*)</.exec(request)?.[1];
  const stream = device.streams.find((entry) => escape(entry.token) === token);
  const noProfile = fault('Sender', 'InvalidArgVal', 'No such profile');
  const reply = (prefix: string, body: string): string =>
    envelope(`<${prefix}:${operation}Response>${body}</${prefix}:${operation}Response>`);
  const mediaUri = (uri: string): string =>
    reply(
      'trt',
      `<trt:MediaUri><tt:Uri>${escape(uri)}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>` +
        '<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>',
    );
  const services = `http://${device.host}/onvif`;

  switch (operation) {
    case 'GetSystemDateAndTime': {
      const now = new Date(device.nowMs());
      const time =
        `<tt:Time><tt:Hour>${now.getUTCHours()}</tt:Hour><tt:Minute>${now.getUTCMinutes()}</tt:Minute>` +
        `<tt:Second>${now.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${now.getUTCFullYear()}</tt:Year>` +
        `<tt:Month>${now.getUTCMonth() + 1}</tt:Month><tt:Day>${now.getUTCDate()}</tt:Day></tt:Date>`;
      return reply(
        'tds',
        '<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>' +
          `<tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone><tt:UTCDateTime>${time}</tt:UTCDateTime></tds:SystemDateAndTime>`,
      );
    }
    case 'GetDeviceInformation':
      return reply(
        'tds',
        `<tds:Manufacturer>${escape(device.manufacturer)}</tds:Manufacturer><tds:Model>${escape(device.model)}</tds:Model>` +
          `<tds:FirmwareVersion>${escape(device.firmware)}</tds:FirmwareVersion>` +
          `<tds:SerialNumber>${escape(device.serial)}</tds:SerialNumber>` +
          `<tds:HardwareId>${escape(device.hardwareId)}</tds:HardwareId>`,
      );
    case 'GetServices':
      return reply(
        'tds',
        ['device', 'media']
          .map(
            (service) =>
              `<tds:Service><tds:Namespace>http://www.onvif.org/ver10/${service}/wsdl</tds:Namespace>` +
              `<tds:XAddr>${services}/${service}_service</tds:XAddr>` +
              '<tds:Version><tt:Major>2</tt:Major><tt:Minor>6</tt:Minor></tds:Version></tds:Service>',
          )
          .join(''),
      );
    case 'GetCapabilities':
      return reply(
        'tds',
        `<tds:Capabilities><tt:Device><tt:XAddr>${services}/device_service</tt:XAddr></tt:Device>` +
          `<tt:Media><tt:XAddr>${services}/media_service</tt:XAddr></tt:Media></tds:Capabilities>`,
      );
    case 'GetScopes':
      return reply(
        'tds',
        scopes(device)
          .map(
            (scope) => `<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>${scope}</tt:ScopeItem></tds:Scopes>`,
          )
          .join(''),
      );
    case 'GetNetworkInterfaces':
      return reply(
        'tds',
        '<tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0</tt:Name>' +
          `<tt:HwAddress>${escape(device.mac)}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info><tt:IPv4><tt:Enabled>true</tt:Enabled>` +
          `<tt:Config><tt:Manual><tt:Address>${device.address}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual>` +
          '<tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4></tds:NetworkInterfaces>',
      );
    case 'GetProfiles':
      return reply(
        'trt',
        device.streams
          .map(
            ({ token: id, width, height }) =>
              `<trt:Profiles token="${escape(id)}" fixed="true"><tt:Name>${escape(id)}</tt:Name>` +
              '<tt:VideoSourceConfiguration token="source"><tt:Name>source</tt:Name><tt:UseCount>2</tt:UseCount>' +
              `<tt:SourceToken>sensor</tt:SourceToken><tt:Bounds x="0" y="0" width="${width}" height="${height}"/>` +
              `</tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="${escape(id)}-encoder">` +
              `<tt:Name>${escape(id)}</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding><tt:Resolution>` +
              `<tt:Width>${width}</tt:Width><tt:Height>${height}</tt:Height></tt:Resolution><tt:Quality>5</tt:Quality>` +
              '</tt:VideoEncoderConfiguration></trt:Profiles>',
          )
          .join(''),
      );
    case 'GetStreamUri':
      return stream === undefined ? noProfile : mediaUri(stream.uri);
    case 'GetSnapshotUri':
      return stream === undefined ? noProfile : mediaUri(`http://${device.host}/snapshot.jpg`);
    default:
      return null;
  }
}

function scopes(device: DeviceState): string[] {
  const base = 'onvif://www.onvif.org';
  const [name, hardware] = [device.name, device.hardwareId].map(encodeURIComponent);
  return [
    `${base}/type/video_encoder`,
    `${base}/Profile/Streaming`,
    `${base}/name/${name ?? ''}`,
    `${base}/hardware/${hardware ?? ''}`,
  ];
}

/** The answer to a WS-Discovery Probe, or null where the question is not for this device. */
export function probeAnswer(device: DeviceState, request: string, messageId: string): string | null {
  const text = (name: string): string =>
    new RegExp(`<(?:\\w+:)?${name}(?: [^>]*)?>([^<]*)<`).exec(request)?.[1]?.trim() ?? '';
  if (!/<(?:\w+:)?Probe[\s/>]/.test(request)) return null;
  const types = text('Types').split(/\s+/).filter(Boolean);
  if (!types.every((type) => /(?:^|:)(?:NetworkVideoTransmitter|Device)$/.test(type))) return null;
  const own = scopes(device);
  const wanted = text('Scopes').split(/\s+/).filter(Boolean);
  // RFC 3986 matching: by whole path segments, case-insensitive.
  const has = (scope: string): boolean =>
    own.some((have) => `${have}/`.toLowerCase().startsWith(`${scope.replace(/\/$/, '')}/`.toLowerCase()));
  if (!wanted.every(has)) return null;
  return envelope(
    `<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>${device.urn}</a:Address></a:EndpointReference>` +
      `<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>${own.join(' ')}</d:Scopes>` +
      `<d:XAddrs>http://${device.host}/onvif/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>` +
      '</d:ProbeMatch></d:ProbeMatches>',
    `<s:Header><a:MessageID>urn:uuid:${messageId}</a:MessageID><a:RelatesTo>${escape(text('MessageID'))}</a:RelatesTo>` +
      '<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>' +
      '<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action></s:Header>',
  );
}

function escape(text: string): string {
  return text.replace(/[<>&"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
