{{/* The documents of a file as {"all": [...]}. */}}
{{- define "penstock.documents" -}}
{{- $all := list -}}
{{- range regexSplit "(?m)^---\n" (.root.Files.Get .file) -1 -}}
{{- $all = append $all (fromYaml .) -}}
{{- end -}}
{{- toYaml (dict "all" $all) -}}
{{- end -}}

{{/* Puts an object where the release is and marks it as the chart's. Changes .object. */}}
{{- define "penstock.place" -}}
{{- $object := .object -}}
{{- $metadata := $object.metadata -}}
{{- if not (has $object.kind (list "ClusterRole" "ClusterRoleBinding" "GatewayClass" "CustomResourceDefinition")) -}}
{{- $_ := set $metadata "namespace" .root.Release.Namespace -}}
{{- end -}}
{{- $labels := $metadata.labels | default dict -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) -}}
{{- $_ := set $metadata "labels" $labels -}}
{{- range $object.subjects -}}
{{- $_ := set . "namespace" $.root.Release.Namespace -}}
{{- end -}}
{{- end -}}

{{/* What the pods of both have in common. Changes .object. */}}
{{- define "penstock.pod" -}}
{{- $template := .object.spec.template -}}
{{- $pod := $template.spec -}}
{{- $container := index $pod.containers 0 -}}
{{- $image := .root.Values.image -}}
{{- $_ := set $container "image" (printf "%s:%s" $image.repository ($image.tag | default .root.Chart.AppVersion)) -}}
{{- $_ := set $container "imagePullPolicy" $image.pullPolicy -}}
{{- $_ := set $container "resources" .values.resources -}}
{{- $_ := unset $container "envFrom" -}}
{{- $_ := set $container "env" (concat $container.env (list (dict "name" "PENSTOCK_HEAP" "value" .values.heap) (dict "name" "PENSTOCK_LOG_FORMAT" "value" "json"))) -}}
{{- with $image.pullSecrets -}}
{{- $_ := set $pod "imagePullSecrets" . -}}
{{- end -}}
{{- with .values.nodeSelector -}}
{{- $_ := set $pod "nodeSelector" (merge (deepCopy .) ($pod.nodeSelector | default dict)) -}}
{{- end -}}
{{- with .values.tolerations -}}
{{- $_ := set $pod "tolerations" (concat ($pod.tolerations | default list) .) -}}
{{- end -}}
{{- $secrets := .secrets -}}
{{- range $pod.volumes -}}
{{- if hasKey $secrets .name -}}
{{- $_ := set .secret "secretName" (index $secrets .name) -}}
{{- end -}}
{{- end -}}
{{/* A new configuration starts new pods. */}}
{{- $_ := set $template.metadata "annotations" (dict "penstock.dev/config" (sha256sum .config | trunc 16)) -}}
{{- end -}}

{{/* gateway.yaml in force. */}}
{{- define "penstock.gateway.config" -}}
{{- $config := fromYaml (.Files.Get "files/gateway/gateway.yaml") -}}
{{- if eq .Values.gateway.profile "cloud-lb" -}}
{{- $config = mustMergeOverwrite $config (dict "gateway" (dict "drain" (dict "listener_pause" "30s"))) -}}
{{- else if eq .Values.gateway.profile "edge-hostnetwork" -}}
{{- $config = mustMergeOverwrite $config (dict "gateway" (dict "public" (dict "ports" "10000-29999")) "management" (dict "probes" "127.0.0.1:9090")) -}}
{{- end -}}
{{- toYaml (mustMergeOverwrite $config (deepCopy .Values.gateway.config)) -}}
{{- end -}}

{{/* agent.yaml in force. */}}
{{- define "penstock.agent.config" -}}
{{- $config := fromYaml (.Files.Get "files/agent/agent.yaml") -}}
{{- with .Values.agent.watchNamespaces -}}
{{- $config = mustMergeOverwrite $config (dict "kubernetes" (dict "watch_namespaces" .)) -}}
{{- end -}}
{{- toYaml (mustMergeOverwrite $config (deepCopy .Values.agent.config)) -}}
{{- end -}}
