{{/* Where an issuer is: its kind and its metadata. */}}
{{- define "issuer" -}}
apiVersion: cert-manager.io/v1
kind: {{ empty .namespace | ternary "ClusterIssuer" "Issuer" }}
metadata:
  name: {{ .name | quote }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
{{- end -}}

{{/* How an ACME server is shown that a name is ours, in cert-manager's words. */}}
{{- define "solver" -}}
{{- $acme := .acme -}}
{{- if $acme.dns01 -}}
dns01: {{ toJson $acme.dns01 }}
{{- else if $acme.http01.gateway -}}
http01:
  gatewayHTTPRoute:
    parentRefs:
      - {{ merge (dict "kind" "Gateway") $acme.http01.gateway | toJson }}
{{- else if $acme.http01.ingressClassName -}}
http01:
  ingress: {ingressClassName: {{ $acme.http01.ingressClassName | quote }}}
{{- else if and $acme.http01.address .namespace -}}
http01:
  ingress: {serviceType: ClusterIP}
{{- else -}}
{{- fail (printf "issuer %s: http01 wants a gateway, an ingressClassName, or an address and the issuer's namespace" .name) -}}
{{- end -}}
{{- end -}}
