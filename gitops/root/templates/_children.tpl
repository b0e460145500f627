{{/*
The children that are on, as a JSON list: each as platform.yaml has it, evaluated, with name, wave, namespace, project,
source and the addon's own settings filled in.
*/}}
{{- define "children" -}}
{{- $platform := .platform -}}
{{- $values := .context.Values -}}
{{- $children := list -}}
{{- $names := dict "addons" (list) "children" (list) -}}
{{- range $entry := $platform.children -}}
{{- $name := $entry.name | default $entry.addon -}}
{{- $family := empty $entry.addon | ternary "children" "addons" -}}
{{- $key := $entry.addon | default $name -}}
{{- $_ := set $names $family (append (get $names $family) $key) -}}
{{- $site := get (get $values $family) $key | default dict -}}
{{- $on := include "switch" (dict "entry" $entry "context" $.context) -}}
{{- if hasKey $site "enabled" }}{{ $on = toString $site.enabled }}{{ end -}}
{{- if eq $on "true" -}}
{{- $child := include "evaluate" (dict "value" $entry "context" $.context) | fromJson -}}
{{- $_ := set $child "name" $name -}}
{{- if $child.addon -}}
{{- $child = include "addon" (dict "child" $child "site" $site "context" $.context) | fromJson -}}
{{- else -}}
{{- $_ := set $child "source" (include "source" (dict "child" $child "platform" $platform "values" $values) | fromJson) -}}
{{- end -}}
{{- $_ := set $child "project" ($child.project | default (first $platform.projects).name) -}}
{{- $children = append $children $child -}}
{{- end -}}
{{- end -}}
{{- range $family, $known := $names -}}
{{- range $name := keys (get $values $family) -}}
{{- if not (has $name $known) -}}
{{- fail (printf "%s.%s: the platform %s has no such child; it has %s" $family $name $platform.name (join ", " (sortAlpha $known))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $children -}}
{{- end -}}

{{/* Whether the platform has an entry on: as it says, and if it says nothing, unless the add-on wants to be asked for. */}}
{{- define "switch" -}}
{{- if hasKey .entry "enabled" -}}
{{- include "evaluate" (dict "value" .entry.enabled "context" .context) | trimAll "\"" -}}
{{- else if .entry.addon -}}
{{- $addon := include "file" (dict "path" (printf "addons/%s/addon.yaml" .entry.addon) "context" .context) | fromJson -}}
{{- not $addon.optIn -}}
{{- else -}}
true
{{- end -}}
{{- end -}}

{{/* Where a tree, an own chart or an ApplicationSet's trees are in the repository. */}}
{{- define "source" -}}
{{- $child := .child -}}
{{- $directory := list .values.prefix ($child.platform | default .platform.name) ($child.chart | default $child.path) | compact -}}
{{- $source := dict "repoURL" .values.repository "targetRevision" .values.revision -}}
{{- if $child.elements -}}{{- $directory = append $directory "{{.name}}" -}}{{- end -}}
{{- if $child.chart -}}
{{- $helm := dict "releaseName" $child.name -}}
{{- with $child.valueFiles }}{{ $_ := set $helm "valueFiles" . }}{{ end -}}
{{- with $child.values }}{{ $_ := set $helm "valuesObject" . }}{{ end -}}
{{- $_ := set $source "helm" $helm -}}
{{- else if ne (toString $child.overlays) "false" -}}
{{- $directory = concat $directory (list "overlays" .values.environment) -}}
{{- end -}}
{{- $_ := set $source "path" (join "/" $directory) -}}
{{- with $child.kustomize }}{{ $_ := set $source "kustomize" . }}{{ end -}}
{{- toJson $source -}}
{{- end -}}

{{/* A child that comes from the catalogue. */}}
{{- define "addon" -}}
{{- $child := .child -}}
{{- $site := .site -}}
{{- $addon := include "file" (dict "path" (printf "addons/%s/addon.yaml" $child.addon) "context" .context) | fromJson -}}
{{- $crds := $addon.crds | default dict -}}
{{- $elsewhere := eq ($child.crds | default $crds.owner | default "chart") "wave00" -}}
{{- $base := include "file" (dict "path" (printf "addons/%s/values.yaml" $child.addon) "context" $.context) | fromJson -}}
{{- $values := include "evaluate" (dict "value" $base "context" $.context) | fromJson -}}
{{- if $elsewhere }}{{ $values = mergeOverwrite $values ($crds.off | default dict) }}{{ end -}}
{{- range list $child.values $site.values -}}
{{- $values = include "overlay" (dict "base" $values "over" .) | fromJson -}}
{{- end -}}
{{- with $addon.chart -}}
{{- $helm := dict "releaseName" $child.name "valuesObject" $values -}}
{{- if and $elsewhere $crds.skipCrds }}{{ $_ := set $helm "skipCrds" true }}{{ end -}}
{{- $version := $site.version | default .version -}}
{{- $source := dict "repoURL" .repository "path" .path "targetRevision" (printf "v%s" $version) -}}
{{- if or $.context.Values.chartRepository (not .path) -}}
{{- $repository := $.context.Values.chartRepository | default .repository | trimPrefix "oci://" -}}
{{- $source = dict "repoURL" $repository "chart" .name "targetRevision" $version -}}
{{- end -}}
{{- $_ := set $child "source" (merge $source (dict "helm" $helm)) -}}
{{- end -}}
{{- with $addon.kustomize -}}
{{- $options := mergeOverwrite $values ($child.kustomize | default dict) -}}
{{- $_ := set $child "source" (dict "repoURL" .repository "path" .path "targetRevision" ($site.version | default .revision) "kustomize" $options) -}}
{{- end -}}
{{- $_ := set $child "wave" (hasKey $child "wave" | ternary $child.wave $addon.wave) -}}
{{- $_ := set $child "namespace" ($child.namespace | default $addon.namespace) -}}
{{- $_ := set $child "podSecurity" $addon.podSecurity -}}
{{- $_ := set $child "ignoreDifferences" (concat ($addon.ignoreDifferences | default list) ($child.ignoreDifferences | default list)) -}}
{{- toJson $child -}}
{{- end -}}

{{/* Compared by the server, which knows the defaults of each kind: without it, what they add counts as a difference for ever. */}}
{{- define "comparison" -}}
argocd.argoproj.io/compare-options: ServerSideDiff=true
{{- end -}}

{{/* The spec of the Application that a child becomes. */}}
{{- define "application" -}}
{{- $child := .child -}}
{{- $destination := dict "server" "https://kubernetes.default.svc" -}}
{{- with $child.namespace }}{{ $_ := set $destination "namespace" . }}{{ end -}}
{{- $policy := dict "automated" (dict "prune" true "selfHeal" true) -}}
{{- $_ := set $policy "retry" (dict "limit" 5 "refresh" true "backoff" (dict "duration" "5s" "factor" 2 "maxDuration" "3m")) -}}
{{- $options := list "ServerSideApply=true" -}}
{{- /* kube-system is the cluster's own, and what runs there is not for an add-on to judge. */ -}}
{{- if and $child.namespace (ne $child.namespace "kube-system") (not .ownNamespaces) -}}
{{- $options = append $options "CreateNamespace=true" -}}
{{- with $child.podSecurity -}}
{{- $_ := set $policy "managedNamespaceMetadata" (dict "labels" (dict "pod-security.kubernetes.io/enforce" .)) -}}
{{- end -}}
{{- end -}}
{{- with $child.ignoreDifferences }}{{ $options = append $options "RespectIgnoreDifferences=true" }}{{ end -}}
{{- $_ := set $policy "syncOptions" (concat $options ($child.syncOptions | default list)) -}}
{{- $spec := dict "project" $child.project "source" $child.source "destination" $destination "syncPolicy" $policy -}}
{{- with $child.ignoreDifferences }}{{ $_ := set $spec "ignoreDifferences" . }}{{ end -}}
{{- toJson $spec -}}
{{- end -}}

{{/*
Values laid over others, as Helm does; but where a pod runs is one choice, so a nodeSelector takes the place of another whole.
*/}}
{{- define "overlay" -}}
{{- $result := .base -}}
{{- range $key, $value := .over -}}
{{- $under := get $result $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $under) (ne $key "nodeSelector") -}}
{{- $value = include "overlay" (dict "base" $under "over" $value) | fromJson -}}
{{- end -}}
{{- $_ := set $result $key $value -}}
{{- end -}}
{{- toJson $result -}}
{{- end -}}
