package dev.penstock.testkit;

import static dev.penstock.testkit.Manifests.container;
import static dev.penstock.testkit.Manifests.each;
import static dev.penstock.testkit.Manifests.nameOf;
import static dev.penstock.testkit.Manifests.plainName;
import static dev.penstock.testkit.Manifests.pod;
import static dev.penstock.testkit.Manifests.texts;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.config.Origins;
import dev.penstock.gateway.GatewaySettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What is in `deploy/` for Kubernetes, as it would be applied: it fits the published schemas,
/// holds to rules about rights and pods, has settings that gateway and agent take, and is the same
/// by Kustomize and by Helm.
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DeploymentTest {
  private static final String HOST = "gateway.example.com";
  private static final Set<String> OF_THE_LAUNCHER = Set.of("PENSTOCK_HEAP", "PENSTOCK_LOG_FORMAT");

  private static final Set<String> WITHOUT_NAMESPACE =
      Set.of(
          "Namespace",
          "CustomResourceDefinition",
          "ClusterRole",
          "ClusterRoleBinding",
          "GatewayClass");

  /// What Kubernetes tells pods about themselves.
  private static final Map<String, String> FIELDS =
      Map.of(
          "status.podIP", "10.0.0.1",
          "metadata.name", "penstock-0",
          "spec.nodeName", "node-1",
          "metadata.labels['topology.kubernetes.io/zone']", "zone-1");

  private static final String[] CHART_GATEWAY = {"gateway.enabled=true", "crds.install=false"};

  private static final ObjectMapper JSON = new ObjectMapper();

  private static final Map<String, Manifests> RENDERED = new ConcurrentHashMap<>();

  @TempDir static Path root;
  private static ManifestSchemas schemas;

  @BeforeAll
  static void makeSecrets() throws IOException {
    schemas =
        new ManifestSchemas(
            crdFiles().flatMap(file -> Manifests.read(file).objects().stream()).toList());
    for (String part : List.of("kustomize", "crds", "samples")) {
      copy(Manifests.deploy().resolve(part), root.resolve(part));
    }
    Programs.require("openssl");
    Programs.run(
        Limits.time(Duration.ofMinutes(1)),
        root,
        List.of(root.resolve("kustomize/examples/make-secrets.sh").toString(), HOST));
    Path secrets = root.resolve("kustomize/examples/gateway/secrets");
    for (String key : List.of("agent-token", "cluster-secret", "store-password")) {
      copy(secrets.resolve(key), root.resolve("mounted/secrets").resolve(key));
    }
    Path agentSecrets = root.resolve("kustomize/examples/agent/secrets");
    copy(agentSecrets, root.resolve("mounted/secrets"));
    for (String pair : List.of("nodes", "links")) {
      Path to = root.resolve("mounted").resolve(pair + "-tls");
      copy(secrets.resolve(pair + ".crt"), to.resolve("tls.crt"));
      copy(secrets.resolve(pair + ".key"), to.resolve("tls.key"));
      copy(secrets.resolve(pair + "-ca.crt"), to.resolve("ca.crt"));
    }
    combine(
        "edge-with-everything",
        "edge-hostnetwork",
        "nodes-tls-cert-manager",
        "bootstrap-dns",
        "monitoring-gateway",
        "postgresql");
    combine("cloud-with-monitoring", "cloud-lb", "monitoring-gateway");
    combine("agent-with-monitoring", "agent-production", "monitoring-agent");
  }

  /// A kustomization of an overlay and components, as a user writes one.
  private static void combine(String name, String overlay, String... components)
      throws IOException {
    Path directory = Files.createDirectories(root.resolve("kustomize/combined").resolve(name));
    Files.writeString(
        directory.resolve("kustomization.yaml"),
        "resources: [../../overlays/%s]%n%scomponents: [%s]%n"
            .formatted(
                overlay,
                overlay.startsWith("agent") ? "" : "namespace: penstock-gateway\n",
                Stream.of(components)
                    .map(it -> "../../components/" + it)
                    .collect(Collectors.joining(", "))));
  }

  static Stream<Manifests> kustomizations() {
    return Stream.concat(
        workloads(),
        Stream.of("samples/own-class", "samples/piggy-back").map(it -> kustomized(it)));
  }

  static Stream<Manifests> workloads() {
    return Stream.of(
            "overlays/cloud-lb",
            "overlays/edge-hostnetwork",
            "overlays/agent-daemonset",
            "overlays/agent-production",
            "combined/edge-with-everything",
            "combined/cloud-with-monitoring",
            "combined/agent-with-monitoring",
            "examples/gateway",
            "examples/agent")
        .map(it -> kustomized("kustomize/" + it));
  }

  static Stream<Manifests> charts() {
    return Stream.of(
        chart("edge", "gateway.enabled=true"),
        chart("edge", "gateway.enabled=true", "gateway.profile=edge-hostnetwork"),
        chart("edge", "gateway.enabled=true", "gateway.profile=none"),
        chart("agents", "agent.enabled=true", "monitoring.enabled=true"),
        chart("agents", "agent.enabled=true", "agent.roles=split", "agent.watchNamespaces={a,b}"),
        chart("both", "agent.enabled=true", "gateway.enabled=true", "monitoring.enabled=true"));
  }

  static Stream<Manifests> all() {
    boolean charts = Limits.isCi() || Programs.find("helm").isPresent();
    return Stream.concat(workloads(), charts ? charts() : Stream.of());
  }

  private static Manifests kustomized(String directory) {
    return RENDERED.computeIfAbsent(directory, _ -> Manifests.kustomize(root.resolve(directory)));
  }

  private static Manifests chart(String namespace, String... values) {
    return RENDERED.computeIfAbsent(
        namespace + " " + List.of(values), _ -> Manifests.helm(namespace, values));
  }

  @ParameterizedTest
  @MethodSource("kustomizations")
  void everyObjectOfKustomizeFitsThePublishedSchemas(Manifests manifests) {
    everyObjectFits(manifests);
  }

  @ParameterizedTest
  @MethodSource("charts")
  void everyObjectOfTheChartFitsThePublishedSchemas(Manifests manifests) {
    everyObjectFits(manifests);
  }

  private static void everyObjectFits(Manifests manifests) {
    for (JsonNode object : manifests.objects()) {
      assertThat(schemas.problems(object))
          .as("%s %s", object.path("kind").asText(), nameOf(object))
          .isEmpty();
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void everyObjectIsInANamespaceUnlessItsKindHasNone(Manifests manifests) {
    for (JsonNode object : manifests.objects()) {
      assertThat(object.path("metadata").has("namespace"))
          .as("%s %s", object.path("kind").asText(), nameOf(object))
          .isNotEqualTo(WITHOUT_NAMESPACE.contains(object.path("kind").asText()));
    }
  }

  @Test
  void theSchemasFindWhatIsMisspeltMissingOrOfTheWrongType() {
    assertThat(problemsOf("apiVersion: v1\nkind: Service\nspec: {selektor: {a: b}}"))
        .singleElement()
        .asString()
        .contains("selektor");
    assertThat(problemsOf("apiVersion: apps/v1\nkind: DaemonSet\nspec: {selector: {}}"))
        .singleElement()
        .asString()
        .contains("template");
    assertThat(problemsOf("apiVersion: v1\nkind: Service\nspec: {ports: [{port: high}]}"))
        .singleElement()
        .asString()
        .contains("port");
    assertThat(
            problemsOf(
                """
                apiVersion: penstock.dev/v1alpha1
                kind: TunnelGatewayParameters
                spec: {portPolicy: Any}
                """))
        .singleElement()
        .asString()
        .contains("portPolicy");
    assertThat(problemsOf("apiVersion: v2\nkind: Service"))
        .singleElement()
        .asString()
        .contains("no schema");
  }

  private static List<String> problemsOf(String yaml) {
    return schemas.problems(Manifests.parse("a test", yaml).objects().getFirst());
  }

  /// The Pod Security Standard "restricted", and a root that cannot be written.
  @ParameterizedTest
  @MethodSource("all")
  void everyPodIsRestrictedAndHasARootThatCannotBeWritten(Manifests manifests) {
    manifests
        .workloads()
        .forEach(workload -> {
          JsonNode pod = pod(workload);
          JsonNode security = pod.path("securityContext");
          assertThat(security.path("runAsNonRoot").asBoolean()).as("runAsNonRoot").isTrue();
          assertThat(security.path("runAsUser").asInt()).as("runAsUser").isPositive();
          assertThat(security.path("seccompProfile").path("type").asText())
              .isEqualTo("RuntimeDefault");
          assertThat(pod.has("hostPID") || pod.has("hostIPC")).as("hostPID, hostIPC").isFalse();
          assertThat(pod.path("initContainers").isMissingNode()).as("no initContainers").isTrue();
          for (JsonNode container : pod.path("containers")) {
            JsonNode own = container.path("securityContext");
            assertThat(own.path("allowPrivilegeEscalation").asBoolean(true)).isFalse();
            assertThat(own.path("readOnlyRootFilesystem").asBoolean()).isTrue();
            assertThat(texts(own.path("capabilities").path("drop"))).containsExactly("ALL");
            assertThat(own.path("capabilities").has("add")).isFalse();
            assertThat(own.has("privileged") || own.has("runAsUser")).isFalse();
            assertThat(
                    each(container.path("volumeMounts")).map(it -> it.path("mountPath").asText()))
                .contains("/tmp");
            assertThat(container.path("resources").path("limits").has("memory")).isTrue();
          }
          for (JsonNode volume : pod.path("volumes")) {
            assertThat(volume.has("hostPath")).as(volume.toString()).isFalse();
          }
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void onlyTheProfileOfEdgeNodesUsesTheHostsNetwork(Manifests manifests) {
    boolean edge = manifests.name().contains("edge-");
    manifests
        .workloads()
        .forEach(workload ->
            assertThat(pod(workload).path("hostNetwork").asBoolean())
                .isEqualTo(edge && nameOf(workload).equals("penstock-gateway")));
    manifests
        .ofKind("Namespace")
        .forEach(namespace ->
            assertThat(
                    namespace
                        .path("metadata")
                        .path("labels")
                        .path("pod-security.kubernetes.io/enforce")
                        .asText())
                .isEqualTo(edge ? "privileged" : "restricted"));
  }

  @ParameterizedTest
  @MethodSource("all")
  void noRightIsAWildcardOrLeadsToMoreRights(Manifests manifests) {
    rules(manifests)
        .forEach(rule -> {
          for (String part : List.of("apiGroups", "resources", "verbs")) {
            assertThat(texts(rule.path(part))).as("%s of %s", part, rule).doesNotContain("*");
          }
          assertThat(rule.has("nonResourceURLs")).isFalse();
          assertThat(texts(rule.path("resources")))
              .as("resources of %s", rule)
              .doesNotContain("secrets", "configmaps", "serviceaccounts", "nodes")
              .noneMatch(it -> it.startsWith("pods/") || it.endsWith("roles"))
              .noneMatch(it -> it.endsWith("bindings") || it.equals("customresourcedefinitions"));
          assertThat(texts(rule.path("apiGroups"))).doesNotContain("rbac.authorization.k8s.io");
          assertThat(texts(rule.path("verbs")))
              .as("verbs of %s", rule)
              .doesNotContain("escalate", "bind", "impersonate", "deletecollection");
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void aTokenOfTheApiIsMountedOnlyWhereThereAreRights(Manifests manifests) {
    manifests
        .ofKind("ServiceAccount")
        .forEach(account ->
            assertThat(account.path("automountServiceAccountToken").asBoolean(true)).isFalse());
    Set<String> withRights =
        manifests.objects().stream()
            .flatMap(object -> each(object.path("subjects")))
            .map(subject -> subject.path("name").asText())
            .collect(Collectors.toSet());
    manifests
        .workloads()
        .forEach(workload ->
            assertThat(pod(workload).path("automountServiceAccountToken").asBoolean(true))
                .as(nameOf(workload))
                .isEqualTo(withRights.contains(pod(workload).path("serviceAccountName").asText())));
  }

  @Test
  void thePageTellsEveryRightAndNoOther() throws IOException {
    var told = new TreeSet<String>();
    String page = Files.readString(Manifests.deploy().resolve("../docs/install-kubernetes.md"));
    Pattern.compile("^\\| `(.*?)` \\| (.*?) \\| (.*?) \\| (.*?) \\|", Pattern.MULTILINE)
        .matcher(page.substring(page.indexOf("## Rights")))
        .results()
        .forEach(row -> {
          for (String resource : row.group(2).replace("`", "").split(", ", -1)) {
            for (String verb : row.group(3).replace("`", "").split(", ", -1)) {
              told.add(row.group(1) + " " + resource + " " + verb);
            }
          }
        });
    var given = new TreeSet<String>();
    Stream.of("overlays/cloud-lb", "overlays/agent-production")
        .map(it -> kustomized("kustomize/" + it))
        .flatMap(DeploymentTest::rules)
        .forEach(rule -> {
          for (String group : texts(rule.path("apiGroups"))) {
            for (String resource : texts(rule.path("resources"))) {
              for (String verb : texts(rule.path("verbs"))) {
                given.add((group.isEmpty() ? "core" : group) + " " + resource + " " + verb);
              }
            }
          }
        });
    assertThat(told).isEqualTo(given);
  }

  @ParameterizedTest
  @MethodSource("all")
  void theRightToTheLeaseIsToTheOneThatAgentsStandFor(Manifests manifests) {
    List<String> named =
        rules(manifests)
            .filter(rule -> texts(rule.path("resources")).contains("leases"))
            .flatMap(rule -> texts(rule.path("resourceNames")).stream())
            .toList();
    ours(manifests)
        .filter(workload -> nameOf(workload).startsWith("penstock-agent"))
        .forEach(workload ->
            assertThat(named)
                .containsExactly(value(settings(manifests, workload), "kubernetes.lease.name")));
  }

  @Test
  void podsThatOnlyServeMayOnlyRead() {
    Manifests split = kustomized("kustomize/overlays/agent-production");
    String account =
        pod(split.object("DaemonSet", "penstock-agent")).path("serviceAccountName").asText();
    Set<String> roles =
        split.objects().stream()
            .filter(object ->
                each(object.path("subjects"))
                    .anyMatch(it -> it.path("name").asText().equals(account)))
            .map(binding -> binding.path("roleRef").path("name").asText())
            .collect(Collectors.toSet());
    assertThat(roles).isNotEmpty();
    for (String role : roles) {
      for (JsonNode rule : split.object("ClusterRole", role).path("rules")) {
        assertThat(texts(rule.path("verbs"))).isNotEmpty().isSubsetOf("get", "list", "watch");
      }
    }
  }

  @Test
  void withNamespacesNamedOnlyWhatHasNoneIsReadEverywhere() {
    Manifests narrow = chart("agents", "agent.enabled=true", "agent.watchNamespaces={a,b}");
    assertThat(narrow.ofKind("ClusterRoleBinding").map(Manifests::nameOf))
        .containsExactlyInAnyOrder("penstock-agent-read-cluster", "penstock-agent-write-cluster");
    assertThat(
            narrow
                .ofKind("RoleBinding")
                .map(it -> it.path("metadata").path("namespace").asText() + "/" + nameOf(it)))
        .containsExactlyInAnyOrder(
            "a/penstock-agent-read",
            "b/penstock-agent-read",
            "a/penstock-agent-write",
            "b/penstock-agent-write",
            "agents/penstock-agent-election");
    assertThat(settings(narrow, narrow.object("DaemonSet", "penstock-agent")).toYaml())
        .contains("watch_namespaces: [a, b]");
  }

  @ParameterizedTest
  @MethodSource("all")
  void probesAskTheManagementPortAndReadinessEndsNobody(Manifests manifests) {
    ours(manifests)
        .forEach(workload -> {
          JsonNode container = container(workload);
          assertThat(probe(container, "livenessProbe")).isEqualTo("/healthz management");
          assertThat(probe(container, "startupProbe")).isEqualTo("/healthz management");
          assertThat(probe(container, "readinessProbe")).isEqualTo("/readyz management");
          String probes = value(settings(manifests, workload), "management.probes");
          assertThat(
                  each(container.path("ports"))
                      .filter(it -> it.path("name").asText().equals("management"))
                      .map(it -> it.path("containerPort").asText()))
              .containsExactly(probes.substring(probes.lastIndexOf(':') + 1));
          // In the host's network it is at loopback, where the kubelet of that host reaches it.
          assertThat(container.path("readinessProbe").path("httpGet").path("host").asText(""))
              .isEqualTo(probes.startsWith("127.") ? "127.0.0.1" : "");
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void podsAreGivenTheTimeThatTheyTakeToDrain(Manifests manifests) {
    ours(manifests)
        .forEach(workload -> {
          Duration given =
              Duration.ofSeconds(pod(workload).path("terminationGracePeriodSeconds").asLong());
          Origins settings = settings(manifests, workload);
          Duration needed =
              nameOf(workload).equals("penstock-gateway")
                  ? seconds(settings, "gateway.drain.listener_pause")
                      .plus(seconds(settings, "gateway.drain.grace"))
                      .plus(seconds(settings, "cluster.leave_timeout"))
                      // Agents that move first, and shards that are handed over.
                      .plusSeconds(20)
                  : seconds(settings, "agent.drain.grace").plusSeconds(15);
          assertThat(given).as(nameOf(workload)).isGreaterThanOrEqualTo(needed);
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void everyVariableIsAKeyAndNothingElseCanBeTakenForOne(Manifests manifests) {
    ours(manifests)
        .forEach(workload -> {
          assertThat(pod(workload).path("enableServiceLinks").asBoolean(true)).isFalse();
          String inForce = settings(manifests, workload).toYaml();
          manifests.environment(workload).keySet().stream()
              .filter(it -> it.startsWith("PENSTOCK_") && !OF_THE_LAUNCHER.contains(it))
              .forEach(variable -> assertThat(inForce).contains("# " + variable));
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void nothingGoesOverANetworkInTheClear(Manifests manifests) {
    ours(manifests)
        .forEach(workload -> {
          Origins settings = settings(manifests, workload);
          if (nameOf(workload).equals("penstock-gateway")) {
            assertThat(value(settings, "gateway.tls.cert")).isNotEmpty();
            assertThat(value(settings, "cluster.tls.cert")).isNotEmpty();
            assertThat(value(settings, "cluster.insecure")).isEqualTo("false");
          } else {
            assertThat(value(settings, "pipeops.api_url")).contains("https://");
            assertThat(value(settings, "pipeops.tls.insecure_skip_verify")).isEqualTo("false");
          }
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void everySelectorSelectsPodsThatAreThere(Manifests manifests) {
    List<JsonNode> pods =
        manifests.workloads().map(it -> it.path("spec").path("template")).toList();
    for (JsonNode object : manifests.objects()) {
      JsonNode spec = object.path("spec");
      JsonNode selector =
          switch (object.path("kind").asText()) {
            case "Service" -> spec.path("selector");
            case "NetworkPolicy" -> spec.path("podSelector").path("matchLabels");
            case "StatefulSet", "Deployment", "DaemonSet", "PodDisruptionBudget" ->
                spec.path("selector").path("matchLabels");
            default -> JSON.createObjectNode();
          };
      if (!selector.isEmpty()) {
        assertThat(pods)
            .as("%s %s: %s", object.path("kind").asText(), nameOf(object), selector)
            .anyMatch(pod -> carries(pod, selector));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void aMonitorFindsAServiceWithItsPort(Manifests manifests) {
    manifests
        .ofKind("ServiceMonitor")
        .forEach(monitor -> {
          String port = monitor.path("spec").path("endpoints").path(0).path("port").asText();
          assertThat(manifests.ofKind("Service"))
              .anyMatch(service ->
                  carries(service, monitor.path("spec").path("selector").path("matchLabels"))
                      && each(service.path("spec").path("ports"))
                          .anyMatch(it -> it.path("name").asText().equals(port)));
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void thePolicyOfGatewaysLetsInWhatTheyListenFor(Manifests manifests) {
    manifests
        .ofKind("NetworkPolicy")
        .filter(it -> nameOf(it).equals("penstock-gateway"))
        .forEach(policy -> {
          JsonNode workload = manifests.object("StatefulSet", "penstock-gateway");
          List<String> open =
              each(policy.path("spec").path("ingress"))
                  .filter(rule -> !rule.has("from"))
                  .flatMap(rule -> each(rule.path("ports")))
                  .map(it ->
                      it.path("protocol").asText()
                          + " "
                          + it.path("port").asInt()
                          + (it.has("endPort") ? "-" + it.path("endPort").asInt() : ""))
                  .toList();
          String range = value(settings(manifests, workload), "gateway.public.ports");
          assertThat(open).containsExactlyInAnyOrder("TCP 8443", "TCP " + range, "UDP " + range);
        });
  }

  @ParameterizedTest
  @MethodSource("all")
  void loadBalancersHaveOnlyPortsThatTheGatewayMayLease(Manifests manifests) {
    manifests
        .ofKind("Service")
        .filter(service -> nameOf(service).startsWith("penstock-gateway-public"))
        .forEach(service -> {
          JsonNode workload = manifests.object("StatefulSet", "penstock-gateway");
          String[] range =
              value(settings(manifests, workload), "gateway.public.ports").split("-", -1);
          for (JsonNode port : service.path("spec").path("ports")) {
            assertThat(port.path("port").asInt())
                .isBetween(Integer.valueOf(range[0]), Integer.valueOf(range[1]))
                .isEqualTo(port.path("targetPort").asInt());
          }
          assertThat(service.path("spec").path("externalTrafficPolicy").asText())
              .isEqualTo("Local");
        });
  }

  @Test
  void nodesFindEachOtherThroughTheApiByTheirOwnLabel() {
    Manifests gateway = kustomized("kustomize/overlays/cloud-lb");
    JsonNode workload = gateway.object("StatefulSet", "penstock-gateway");
    Origins settings = settings(gateway, workload);
    assertThat(value(settings, "cluster.bootstrap")).isEqualTo("kubernetes");
    String[] selector = value(settings, "cluster.kubernetes.selector").split("=", -1);
    assertThat(
            workload
                .path("spec")
                .path("template")
                .path("metadata")
                .path("labels")
                .path(selector[0])
                .asText())
        .isEqualTo(selector[1]);
    assertThat(value(settings, "cluster.listen")).isEqualTo("10.0.0.1:7355");
    assertThat(value(settings, "cluster.relay")).isEqualTo("10.0.0.1:7356");
    // A node that waits for another one is not ready, and its pod must not keep the other's away.
    assertThat(workload.path("spec").path("podManagementPolicy").asText()).isEqualTo("Parallel");
    assertThat(workload.path("spec").path("replicas").asInt())
        .isGreaterThan(Integer.parseInt(value(settings, "cluster.min_nodes")));
  }

  @Test
  void withDnsNodesNeedNoRightAndNoToken() {
    Manifests gateway = kustomized("kustomize/combined/edge-with-everything");
    JsonNode workload = gateway.object("StatefulSet", "penstock-gateway");
    Origins settings = settings(gateway, workload);
    assertThat(value(settings, "cluster.bootstrap")).isEqualTo("dns");
    JsonNode nodes = gateway.object("Service", value(settings, "cluster.dns.name"));
    assertThat(nodes.path("spec").path("clusterIP").asText()).isEqualTo("None");
    assertThat(nodes.path("spec").path("publishNotReadyAddresses").asBoolean()).isTrue();
    assertThat(gateway.ofKind("Role")).isEmpty();
    assertThat(gateway.ofKind("RoleBinding")).isEmpty();
    assertThat(pod(workload).path("automountServiceAccountToken").asBoolean(true)).isFalse();
  }

  @Test
  void bothPodsOfTheAgentDifferInTheirRolesOnly() {
    Manifests split = kustomized("kustomize/overlays/agent-production");
    JsonNode serving = split.object("DaemonSet", "penstock-agent");
    JsonNode writing = split.object("Deployment", "penstock-agent-controller");
    assertThat(split.environment(serving)).containsEntry("PENSTOCK_KUBERNETES_ROLES", "data");
    assertThat(split.environment(writing)).containsEntry("PENSTOCK_KUBERNETES_ROLES", "controller");
    assertThat(withoutRole(pod(serving))).isEqualTo(withoutRole(pod(writing)));
  }

  private static JsonNode withoutRole(JsonNode pod) {
    ObjectNode copy = pod.deepCopy();
    copy.remove(List.of("affinity", "serviceAccountName"));
    ((ObjectNode) copy.path("containers").path(0)).remove("env");
    return copy;
  }

  @Test
  void theChartOfAGatewayBehindLoadBalancersIsTheSame() {
    theSame(
        "combined/cloud-with-monitoring",
        chart(
            "penstock-gateway",
            with(
                CHART_GATEWAY,
                "gateway.config.gateway.public.host=" + HOST,
                "monitoring.enabled=true")));
  }

  @Test
  void theChartOfAGatewayInTheHostsNetworkIsTheSame() {
    theSame(
        "overlays/edge-hostnetwork",
        chart("penstock-gateway", with(CHART_GATEWAY, "gateway.profile=edge-hostnetwork")));
  }

  @Test
  void theChartOfAgentsInOneRoleIsTheSame() {
    theSame("overlays/agent-daemonset", chart("penstock-agent", "agent.enabled=true"));
  }

  @Test
  void theChartOfAgentsInTwoRolesIsTheSame() {
    theSame(
        "combined/agent-with-monitoring",
        chart(
            "penstock-agent",
            "agent.enabled=true",
            "agent.roles=split",
            "monitoring.enabled=true"));
  }

  private static String[] with(String[] values, String... more) {
    return Stream.of(values, more).flatMap(Arrays::stream).toArray(String[]::new);
  }

  /// All objects are equal but for names, marks and the way by which settings come; the settings in
  /// force are equal.
  private static void theSame(String directory, Manifests chart) {
    Manifests kustomized = kustomized("kustomize/" + directory);
    assertThat(comparable(chart)).isEqualTo(comparable(kustomized));
    ours(chart)
        .forEach(workload -> {
          JsonNode other = kustomized.object(workload.path("kind").asText(), nameOf(workload));
          assertThat(inForce(chart, workload)).isEqualTo(inForce(kustomized, other));
          assertThat(ofTheLauncher(chart, workload)).isEqualTo(ofTheLauncher(kustomized, other));
        });
  }

  private static Map<String, JsonNode> comparable(Manifests manifests) {
    var comparable = new TreeMap<String, JsonNode>();
    for (JsonNode object : manifests.objects()) {
      String kind = object.path("kind").asText();
      if (kind.equals("Namespace") || kind.equals("ConfigMap")) {
        continue;
      }
      ObjectNode copy = object.deepCopy();
      var metadata = (ObjectNode) copy.path("metadata");
      metadata.remove("annotations");
      if (metadata.path("labels") instanceof ObjectNode labels) {
        labels.remove(List.of("helm.sh/chart", "app.kubernetes.io/managed-by"));
      }
      if (copy.path("spec").path("template").path("metadata") instanceof ObjectNode ofPods) {
        ofPods.remove("annotations");
        var container = (ObjectNode) container(copy);
        container.remove(List.of("env", "envFrom"));
        container.put("image", container.path("image").asText().replaceFirst(":[^/]*$", ""));
        for (JsonNode volume : pod(copy).path("volumes")) {
          if (volume.path("configMap") instanceof ObjectNode map) {
            map.put("name", plainName(map.path("name").asText()));
          }
        }
      }
      comparable.put(
          kind + " " + metadata.path("namespace").asText("") + " " + nameOf(object), copy);
    }
    return comparable;
  }

  private static String inForce(Manifests manifests, JsonNode workload) {
    return settings(manifests, workload)
        .toYaml()
        .lines()
        .map(line -> line.replaceFirst(" +# .*$", ""))
        .collect(Collectors.joining("\n"));
  }

  private static Map<String, String> ofTheLauncher(Manifests manifests, JsonNode workload) {
    var variables = new TreeMap<>(manifests.environment(workload));
    variables.keySet().retainAll(OF_THE_LAUNCHER);
    return variables;
  }

  @Test
  void theChartRefusesValuesThatItDoesNotKnow() {
    for (String value : List.of("gateway.replica=3", "gateway.profile=cloud", "agent.roles=both")) {
      assertThat(
              Programs.tryRun(
                  Limits.time(Duration.ofSeconds(30)), root, Manifests.helmCommand("edge", value)))
          .as(value)
          .matches(result -> result.exitCode() != 0)
          .extracting(Programs.Result::output)
          .asString()
          .contains("values don't meet the specifications of the schema");
    }
  }

  @Test
  void theChartIsOfThisRelease() {
    JsonNode chart =
        Manifests.read(Manifests.deploy().resolve("helm/penstock/Chart.yaml")).objects().getFirst();
    String project = "<version>" + chart.path("appVersion").asText() + "</version>";
    assertThat(Manifests.deploy().resolve("../pom.xml")).content().contains(project);
  }

  @Test
  void nobodyInstallsTheCustomResourceDefinitionsOfTheGatewayApi() {
    all()
        .flatMap(manifests -> manifests.ofKind("CustomResourceDefinition"))
        .forEach(
            crd -> assertThat(crd.path("spec").path("group").asText()).isEqualTo("penstock.dev"));
  }

  @Test
  void ownDefinitionsStayWhenTheChartGoes() {
    chart("agents", "agent.enabled=true")
        .ofKind("CustomResourceDefinition")
        .forEach(crd ->
            assertThat(
                    crd.path("metadata")
                        .path("annotations")
                        .path("helm.sh/resource-policy")
                        .asText())
                .isEqualTo("keep"));
  }

  @Test
  void ownDefinitionsAreStructuralAndShowWhatUsersLookFor() throws IOException {
    List<JsonNode> crds =
        crdFiles().flatMap(file -> Manifests.read(file).objects().stream()).toList();
    assertThat(crds.stream().map(Manifests::nameOf))
        .containsExactlyInAnyOrder(
            "tunnelendpoints.penstock.dev", "tunnelgatewayparameters.penstock.dev");
    for (JsonNode crd : crds) {
      JsonNode version = crd.path("spec").path("versions").path(0);
      assertThat(version.path("name").asText()).isEqualTo("v1alpha1");
      assertThat(version.path("subresources").has("status")).isTrue();
      structural("", version.path("schema").path("openAPIV3Schema"));
    }
    JsonNode endpoint =
        crds.stream()
            .filter(it -> nameOf(it).startsWith("tunnelendpoints"))
            .findFirst()
            .orElseThrow();
    assertThat(texts(endpoint.path("spec").path("names").path("shortNames"))).containsExactly("te");
    assertThat(
            each(endpoint.path("spec").path("versions").path(0).path("additionalPrinterColumns"))
                .map(it -> it.path("name").asText()))
        .startsWith("Host", "Port", "Protocol", "Service", "Mode", "Ready");
  }

  private static void structural(String at, JsonNode schema) {
    assertThat(schema.path("type").asText()).as("type at %s", at).isNotEmpty();
    assertThat(schema.has("properties") && schema.has("additionalProperties"))
        .as("properties and additionalProperties at %s", at)
        .isFalse();
    assertThat(schema.has("$ref")).as("reference at %s", at).isFalse();
    schema
        .path("properties")
        .properties()
        .forEach(it -> structural(at + "/" + it.getKey(), it.getValue()));
    for (String below : List.of("items", "additionalProperties")) {
      if (schema.has(below)) {
        structural(at + "/" + below, schema.path(below));
      }
    }
  }

  static Stream<Manifests> samples() {
    return Stream.of("samples/own-class", "samples/piggy-back").map(it -> kustomized(it));
  }

  @ParameterizedTest
  @MethodSource("samples")
  void everyRouteOfASampleHasItsListenerAndItsGrants(Manifests samples) {
    List<JsonNode> routes = Stream.of("TCPRoute", "UDPRoute").flatMap(samples::ofKind).toList();
    assertThat(routes).hasSizeGreaterThanOrEqualTo(5);
    for (JsonNode route : routes) {
      assertThat(route.path("apiVersion").asText()).isEqualTo("gateway.networking.k8s.io/v1");
      JsonNode parent = route.path("spec").path("parentRefs").path(0);
      String protocol = route.path("kind").asText().substring(0, 3);
      assertThat(
              each(
                  samples
                      .object("Gateway", parent.path("name").asText())
                      .path("spec")
                      .path("listeners")))
          .anyMatch(listener ->
              listener.path("name").equals(parent.path("sectionName"))
                  && listener.path("protocol").asText().equals(protocol));
      String home = route.path("metadata").path("namespace").asText();
      for (JsonNode backend : route.path("spec").path("rules").path(0).path("backendRefs")) {
        String there = backend.path("namespace").asText(home);
        if (!there.equals(home)) {
          assertThat(samples.ofKind("ReferenceGrant"))
              .as("%s to %s/%s", nameOf(route), there, backend.path("name").asText())
              .anyMatch(grant -> grants(grant, route, there, backend.path("name")));
        }
      }
    }
  }

  private static boolean grants(JsonNode grant, JsonNode route, String there, JsonNode service) {
    JsonNode spec = grant.path("spec");
    return grant.path("metadata").path("namespace").asText().equals(there)
        && each(spec.path("from"))
            .anyMatch(from ->
                from.path("kind").equals(route.path("kind"))
                    && from.path("namespace").equals(route.path("metadata").path("namespace")))
        && each(spec.path("to"))
            .anyMatch(to ->
                to.path("kind").asText().equals("Service") && to.path("name").equals(service));
  }

  @ParameterizedTest
  @MethodSource("samples")
  void theSamplesCoverEveryUseCase(Manifests samples) {
    assertThat(
            Stream.of("TCPRoute", "UDPRoute")
                .flatMap(samples::ofKind)
                .map(it ->
                    it.path("spec")
                        .path("rules")
                        .path(0)
                        .path("backendRefs")
                        .path(0)
                        .path("port")
                        .asInt()))
        .contains(5432, 6379, 22, 3306, 53);
    samples
        .ofKind("Gateway")
        .forEach(gateway -> {
          String gatewayClass = gateway.path("spec").path("gatewayClassName").asText();
          boolean labelled =
              gateway
                  .path("metadata")
                  .path("labels")
                  .path("pipeops.io/managed")
                  .asText("")
                  .equals("true");
          assertThat(gatewayClass.startsWith("penstock")).isNotEqualTo(labelled);
        });
  }

  @Test
  void secretsThatAreThereAreKept() throws IOException {
    Path examples = root.resolve("kustomize/examples");
    Path token = examples.resolve("gateway/secrets/agent-token");
    Path key = examples.resolve("gateway/secrets/nodes.key");
    List<String> before = List.of(Files.readString(token), Files.readString(key));
    Programs.run(
        Limits.time(Duration.ofMinutes(1)),
        root,
        List.of(examples.resolve("make-secrets.sh").toString(), HOST));
    assertThat(List.of(Files.readString(token), Files.readString(key))).isEqualTo(before);
    assertThat(examples.resolve("agent/secrets/token")).hasContent(before.getFirst());
  }

  /// Our own pods, without those of the database.
  private static Stream<JsonNode> ours(Manifests manifests) {
    return manifests.workloads().filter(it -> !nameOf(it).equals("penstock-postgresql"));
  }

  private static Stream<JsonNode> rules(Manifests manifests) {
    return Stream.of("Role", "ClusterRole")
        .flatMap(manifests::ofKind)
        .flatMap(role -> each(role.path("rules")));
  }

  private static boolean carries(JsonNode object, JsonNode labels) {
    JsonNode own = object.path("metadata").path("labels");
    return labels.properties().stream()
        .allMatch(label -> own.path(label.getKey()).equals(label.getValue()));
  }

  private static String probe(JsonNode container, String name) {
    JsonNode get = container.path(name).path("httpGet");
    return get.path("path").asText() + " " + get.path("port").asText();
  }

  private static Duration seconds(Origins settings, String key) {
    return Duration.parse("PT" + value(settings, key).toUpperCase(Locale.ROOT));
  }

  /// The value of a key that is in force.
  private static String value(Origins settings, String key) {
    return settings.facts().stream()
        .filter(fact -> fact.key().equals(key))
        .flatMap(fact -> Optional.ofNullable(fact.text()).stream())
        .findFirst()
        .orElse("");
  }

  /// What a workload's program makes of its file and its variables, with what is mounted in the pod
  /// below `mounted` here.
  private static Origins settings(Manifests manifests, JsonNode workload) {
    List<String> arguments = texts(container(workload).path("args"));
    String config = arguments.getLast();
    Path file = root.resolve("mounted").resolve(config.substring("/etc/penstock/".length()));
    JsonNode map = manifests.object("ConfigMap", nameOf(workload).replace("-controller", ""));
    try {
      Files.createDirectories(file.getParent());
      Files.writeString(
          file, mounted(map.path("data").path(file.getFileName().toString()).asText()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    var environment = new TreeMap<String, String>();
    Map<String, String> written = manifests.environment(workload);
    written.forEach((name, text) -> environment.put(name, mounted(expand(text, written))));
    return switch (arguments.getFirst()) {
      case "gateway" -> GatewaySettings.load(file, environment).origins();
      case "agent" -> AgentSettings.load(file, environment).origins();
      default -> throw new AssertionError(arguments);
    };
  }

  private static String mounted(String text) {
    return text.replace("/etc/penstock/", root.resolve("mounted") + "/");
  }

  private static String expand(String text, Map<String, String> variables) {
    return Pattern.compile("\\$\\(([^)]*)\\)")
        .matcher(text)
        .replaceAll(match ->
            FIELDS.containsKey(match.group(1))
                ? FIELDS.get(match.group(1))
                : expand(variables.get(match.group(1)), variables));
  }

  private static Stream<Path> crdFiles() throws IOException {
    var files = new ArrayList<Path>();
    try (var all = Files.newDirectoryStream(Manifests.deploy().resolve("crds"), "penstock.dev_*")) {
      all.forEach(files::add);
    }
    return files.stream();
  }

  /// A file, or a directory with all that is in it.
  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path one : all.toList()) {
        Path target = to.resolve(from.relativize(one).toString());
        if (Files.isDirectory(one)) {
          Files.createDirectories(target);
        } else {
          Files.createDirectories(target.getParent());
          Files.copy(one, target);
        }
      }
    }
  }
}
