/** Tells an answer from a refusal from nonsense. PURE; the reply is hostile. */
import { GatewayError } from '../errors.js';
import type { SoapReply } from './soap-http.js';
import { cleanText, descend, parseXml, soapLimits, textAt, type XmlElement } from './xml.js';

const credentialsRemedy = 'Set cameras[].onvif.user and cameras[].onvif.passwordFile to an ONVIF user of this camera.';

/** The element `operation`Response of a reply. Throws `unauthenticated` or `input-invalid`. */
export function readReply(reply: SoapReply, operation: string, host: string): XmlElement {
  const { status } = reply;
  if (status === 401 || status === 403) throw notAuthorised(host, operation);
  if (status >= 300 && status < 400) {
    throw new GatewayError('input-invalid', `${host} sends us elsewhere (HTTP ${status}).`, {
      remedy: 'If the camera takes only HTTPS, use an address that begins with https://.',
    });
  }
  if (status === 404 || status === 405) {
    throw new GatewayError('input-invalid', `${host} has no ONVIF service at this path (HTTP ${status}).`, {
      remedy:
        'Check the path of the address (mostly /onvif/device_service) and that ONVIF is switched on in the camera.',
    });
  }
  // Errors of SOAP come with status 400 or 500, or even 200: the body decides.
  const body = descend(parseXml(reply.body, soapLimits), 'Body');
  const fault = descend(body, 'Fault');
  if (fault !== undefined) throw readFault(fault, operation, host);
  const response = descend(body, `${operation}Response`);
  if (response === undefined) {
    throw new GatewayError(
      'input-invalid',
      `${host} gave no answer to ${operation} that makes sense (HTTP ${status}).`,
      {
        remedy: 'Update the firmware of the camera, or find out what else answers at this address.',
      },
    );
  }
  return response;
}

function readFault(fault: XmlElement, operation: string, host: string): GatewayError {
  const codes: string[] = [];
  for (let code = descend(fault, 'Code'); code !== undefined; code = descend(code, 'Subcode')) {
    codes.push((textAt(code, 'Value') ?? '').replace(/^.*:/, ''));
  }
  // SOAP 1.1, which some old devices answer with.
  const reason = cleanText(textAt(fault, 'Reason', 'Text') ?? textAt(fault, 'faultstring')) ?? 'no reason given';
  if (codes.includes('NotAuthorized') || codes.includes('FailedAuthentication') || /not authori[sz]ed/i.test(reason)) {
    return notAuthorised(host, operation);
  }
  const code = cleanText(codes.filter((entry) => entry !== '').join('/')) ?? 'no code';
  return new GatewayError('input-invalid', `${host} refuses ${operation}: ${reason} (${code}).`, {
    remedy: 'The camera may not offer this; update its firmware if the fact is needed.',
  });
}

export function credentialsRefused(host: string): GatewayError {
  return new GatewayError('unauthenticated', `${host} refuses the credentials; it was not asked again.`, {
    remedy: `${credentialsRemedy} Many cameras keep ONVIF users apart from those of their own page.`,
  });
}

export function lacksRights(host: string, operation: string): GatewayError {
  return new GatewayError('unauthenticated', `${host} does not let this user do ${operation}.`, {
    remedy: 'Give the ONVIF user in the camera the rights of an operator.',
  });
}

function notAuthorised(host: string, operation: string): GatewayError {
  return new GatewayError('unauthenticated', `${host} answers ${operation} only with credentials.`, {
    remedy: credentialsRemedy,
  });
}
