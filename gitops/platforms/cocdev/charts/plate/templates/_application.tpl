{{/* An image by tag and digest; a tag that moves, or none, is an error that names the value. */}}
{{- define "plate.image" -}}
{{- $image := .Values.image -}}
{{- if not $image.registry }}{{ fail "image.registry: the root application says it (registry)" }}{{ end -}}
{{- if or (not $image.tag) (regexMatch `(?i)(^|[-_.])(latest|stable|main|master|trunk|dev|devel|develop|edge|nightly|snapshot|head|current|canary)$` (toString $image.tag)) -}}
{{- fail (printf "image.tag: %q moves or is empty: release under a tag that is given once" (toString $image.tag)) -}}
{{- end -}}
{{- if not (regexMatch "^sha256:[0-9a-f]{64}$" (toString $image.digest)) -}}
{{- fail (printf "image.digest: %q is not sha256: and 64 hexadecimal digits; a tag alone can be moved" (toString $image.digest)) -}}
{{- end -}}
{{- printf "%s/%s:%s@%s" $image.registry $image.name (toString $image.tag) $image.digest -}}
{{- end -}}

{{- define "plate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
{{- end -}}

{{- define "plate.labels" -}}
{{ include "plate.selector" . }}
app.kubernetes.io/part-of: plate
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
{{- end -}}

{{/* A workload with its Service and its Secret, and a route and a volume where its values have them. */}}
{{- define "plate.application" -}}
{{- $storage := .Values.storage -}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "plate.labels" . | nindent 4 }}
  annotations:
    # Before the pods that take their environment from it.
    argocd.argoproj.io/sync-wave: "-1"
spec:
  refreshInterval: 1h
  secretStoreRef: {kind: SecretStore, name: openbao}
  dataFrom:
    - extract: {key: {{ printf "%s/%s" .Release.Namespace .Chart.Name | quote }}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "plate.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "plate.selector" . | nindent 4 }}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: apps/v1
kind: {{ ternary "StatefulSet" "Deployment" (default false .Values.stateful) }}
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "plate.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  {{- if .Values.stateful }}
  serviceName: {{ .Chart.Name }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "plate.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "plate.labels" . | nindent 8 }}
    spec:
      automountServiceAccountToken: false
      imagePullSecrets:
        - name: registry
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        fsGroup: 10001
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: {{ .Chart.Name }}
          image: {{ include "plate.image" . }}
          ports:
            - {name: http, containerPort: {{ .Values.port }}}
          {{- with .Values.environment }}
          env:
            {{- range $name, $value := . }}
            - {name: {{ $name }}, value: {{ $value | quote }}}
            {{- end }}
          {{- end }}
          envFrom:
            - secretRef: {name: {{ .Chart.Name }}}
          startupProbe:
            tcpSocket: {port: http}
            periodSeconds: 5
            failureThreshold: 60
          readinessProbe:
            tcpSocket: {port: http}
          livenessProbe:
            tcpSocket: {port: http}
            periodSeconds: 20
          resources:
            {{- toYaml .Values.resources | nindent 12 }}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL]}
          volumeMounts:
            # The same Secret as in the environment, which stays as it was when the pod began; these files follow a rotation.
            - {name: secrets, mountPath: /run/secrets/plate, readOnly: true}
            {{- with $storage }}
            - {name: data, mountPath: {{ .mountPath }}}
            {{- end }}
      volumes:
        - name: secrets
          secret: {secretName: {{ .Chart.Name }}}
        {{- if and $storage (not .Values.stateful) }}
        - name: data
          persistentVolumeClaim: {claimName: {{ .Chart.Name }}}
        {{- end }}
  {{- if and $storage .Values.stateful }}
  volumeClaimTemplates:
    - metadata:
        name: data
      spec:
        {{- include "plate.claim" $storage | nindent 8 }}
  {{- end }}
{{- if and $storage (not .Values.stateful) }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .Chart.Name }}
  labels:
    {{- include "plate.labels" . | nindent 4 }}
  annotations:
    argocd.argoproj.io/sync-options: Prune=false,Delete=false
spec:
  {{- include "plate.claim" $storage | nindent 2 }}
{{- end }}
{{- with .Values.host }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $.Chart.Name }}
  labels:
    {{- include "plate.labels" $ | nindent 4 }}
spec:
  parentRefs:
    - {name: plate, sectionName: https}
  hostnames: [{{ . | quote }}]
  rules:
    - matches:
        - path: {type: PathPrefix, value: {{ $.Values.path }}}
      backendRefs:
        - {name: {{ $.Chart.Name }}, port: 80}
{{- end }}
{{- end -}}

{{- define "plate.claim" -}}
accessModes: [{{ .accessMode }}]
resources:
  requests:
    storage: {{ .size }}
{{- end -}}
