package dev.penstock.agent.kubernetes.publish;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.agent.kubernetes.discovery.EndpointWrite;
import dev.penstock.agent.kubernetes.discovery.FinalizersWrite;
import dev.penstock.agent.kubernetes.discovery.Notice;
import dev.penstock.agent.kubernetes.discovery.StatusWrite;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import dev.penstock.agent.kubernetes.objects.RawJson;
import dev.penstock.agent.kubernetes.watch.ApiServer;
import dev.penstock.agent.observe.KubernetesMeters;
import dev.penstock.agent.observe.KubernetesMeters.Outcome;
import io.fabric8.kubernetes.api.model.Status;
import io.fabric8.kubernetes.api.model.StatusDetails;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Writes what the cluster is to be told while this agent holds the office, a few at a time and at
/// a pace. A status is written over the version that it was made from and never over a newer one:
/// who made it will see the newer one and make another. What fails is tried again as long as it is
/// wanted. Safe for use by any thread.
public final class Writer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Writer.class);

  /// Calls at a time.
  private static final int WORKERS = 4;

  /// What a server of its own flow control can be asked for by one controller: it says so when it
  /// is too much, and the few calls at a time keep step with a slow one.
  private static final double PER_SECOND = 200;

  private static final double AT_ONCE = 200;
  private static final double EVENTS_PER_SECOND = 10;
  private static final double EVENTS_AT_ONCE = 50;

  /// After a failure, and between two writes of one object: ports come and go through several
  /// states in their first second.
  private static final Duration REST = Duration.ofSeconds(1);

  /// The longest that all writes wait because the server has too much to do.
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

  private static final int TOO_MANY_REQUESTS = 429;

  /// In the form that the API insists on: six digits behind the point.
  private static final DateTimeFormatter MICRO_TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  private static final String EVENTS_PATH = "/apis/events.k8s.io/v1/namespaces/";
  private static final String CLUSTER_EVENTS = "default";
  private static final String CONTROLLER = "penstock.dev/agent";

  private final ApiServer api;
  private final String identity;
  private final KubernetesMeters meters;
  private final ExecutorService calls = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().daemon().name("kubernetes-writer").factory());
  private final Pace pace = new Pace(PER_SECOND, AT_ONCE, System.nanoTime());
  private final Pace events = new Pace(EVENTS_PER_SECOND, EVENTS_AT_ONCE, System.nanoTime());

  /// What waits, in the order in which it is to be written.
  private final Map<String, Job> waiting = new LinkedHashMap<>();

  /// What was written and has not been seen to be so: by job, the version that it was written over.
  private final Map<String, String> written = new HashMap<>();

  /// When each object may be written again.
  private final Map<String, Long> resting = new HashMap<>();

  /// Events that were sent and still hold.
  private final Set<Notice> told = new HashSet<>();

  private final Set<String> running = new HashSet<>();
  private Map<Kind, String> versions = Map.of();
  private boolean writing;
  private boolean scheduled;

  /// Nothing is written before.
  private long pausedUntil = System.nanoTime();

  /// One call, or two.
  private sealed interface Job {
    /// One of a name is under way at a time.
    String name();

    /// What it is based on: the same is not written again.
    String base();

    record Status(StatusWrite write) implements Job {
      @Override
      public String name() {
        return "status of " + write.ref();
      }

      @Override
      public String base() {
        return write.resourceVersion() + digest(write.status());
      }
    }

    record Finalizers(FinalizersWrite write) implements Job {
      @Override
      public String name() {
        return "finalizers of " + write.ref();
      }

      @Override
      public String base() {
        return write.resourceVersion();
      }
    }

    record Endpoint(EndpointWrite write) implements Job {
      @Override
      public String name() {
        return write.ref().toString();
      }

      @Override
      public String base() {
        return switch (write) {
          case EndpointWrite.Create create -> "create" + digest(create.object());
          case EndpointWrite.Replace replace -> "replace" + replace.resourceVersion();
          case EndpointWrite.Status status ->
              "status" + status.resourceVersion() + digest(status.status());
          case EndpointWrite.Delete delete -> "delete" + delete.uid();
        };
      }
    }

    /// What is remembered of thousands of statuses.
    private static String digest(RawJson json) {
      try {
        byte[] text = json.toString().getBytes(UTF_8);
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text));
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java platform has SHA-256", e);
      }
    }

    /// @param name is asked for often, and the notice's key is a digest
    record Event(Notice notice, String name) implements Job {
      static Event of(Notice notice) {
        return new Event(notice, "event " + notice.key());
      }

      @Override
      public String base() {
        return "";
      }
    }
  }

  /// @param identity who writes, as events say it
  public Writer(ApiServer api, String identity, KubernetesMeters meters) {
    this.api = api;
    this.identity = identity;
    this.meters = meters;
  }

  /// Whether anything is written at all. Once this has returned for a follower, no further call is
  /// begun.
  public synchronized void office(Leadership.Office office) {
    writing = office == Leadership.Office.LEADER;
    waiting.clear();
    written.clear();
    resting.clear();
    told.clear();
    meters.waiting(0);
  }

  /// What is wanted from now on. Ignored unless this agent holds the office.
  public synchronized void want(Writes wanted) {
    if (!writing) {
      return;
    }
    versions = wanted.versions();
    waiting.clear();
    var names = new HashSet<String>();
    // Conditions first: events speak of them.
    wanted.finalizers().forEach(write -> add(new Job.Finalizers(write), names));
    wanted.statuses().forEach(write -> add(new Job.Status(write), names));
    wanted.endpoints().forEach(write -> add(new Job.Endpoint(write), names));
    written.keySet().retainAll(names);
    told.retainAll(new HashSet<>(wanted.notices()));
    for (Notice notice : wanted.notices()) {
      if (!told.contains(notice)) {
        add(Job.Event.of(notice), names);
      }
    }
    resting.keySet().retainAll(names);
    meters.waiting(waiting.size());
    go();
  }

  private void add(Job job, Set<String> names) {
    names.add(job.name());
    String done = written.get(job.name());
    if (done == null || !done.equals(job.base())) {
      waiting.put(job.name(), job);
    }
  }

  private synchronized void go() {
    long now = System.nanoTime();
    if (pausedUntil - now > 0) {
      goIn(pausedUntil - now);
      return;
    }
    long next = Long.MAX_VALUE;
    Queue<Job> ready = new ArrayDeque<>();
    for (Job job : waiting.values()) {
      if (running.size() + ready.size() >= WORKERS) {
        next = Long.MAX_VALUE;
        break;
      }
      if (running.contains(job.name())) {
        continue;
      }
      Long rests = resting.get(job.name());
      if (rests != null && rests - now > 0) {
        next = Math.min(next, rests - now);
        continue;
      }
      Pace limit = job instanceof Job.Event ? events : pace;
      if (!limit.take(now)) {
        next = Math.min(next, limit.waitNanos());
        if (limit == pace) {
          break;
        }
        continue;
      }
      ready.add(job);
    }
    for (Job job : ready) {
      waiting.remove(job.name());
      running.add(job.name());
      Map<Kind, String> of = versions;
      calls.execute(() -> run(job, of));
    }
    meters.waiting(waiting.size());
    if (next != Long.MAX_VALUE) {
      goIn(next);
    }
  }

  private void goIn(long nanos) {
    if (!scheduled && !timer.isShutdown()) {
      scheduled = true;
      timer.schedule(this::goLater, nanos, TimeUnit.NANOSECONDS);
    }
  }

  private void goLater() {
    synchronized (this) {
      scheduled = false;
    }
    go();
  }

  private void run(Job job, Map<Kind, String> of) {
    Outcome outcome;
    try {
      outcome = mayWrite() ? write(job, of) : Outcome.GIVEN_UP;
    } catch (KubernetesClientException e) {
      outcome = outcome(e);
      if (outcome == Outcome.THROTTLED) {
        pause(e);
      }
      if (outcome == Outcome.FAILED || outcome == Outcome.FORBIDDEN) {
        log.atWarn()
            .addKeyValue("what", job.name())
            .addKeyValue("cause", e.getMessage())
            .log(
                outcome == Outcome.FORBIDDEN
                    ? "the API server does not allow a write (expected: a role that allows it)"
                    : "a write to the API server failed");
      }
    } catch (RuntimeException e) {
      outcome = Outcome.FAILED;
      log.atError().addKeyValue("what", job.name()).setCause(e).log("a write failed");
    }
    meters.written(outcome);
    done(job, outcome);
  }

  /// Has all writes wait for as long as the server says, or for a moment.
  private synchronized void pause(KubernetesClientException refused) {
    long now = System.nanoTime();
    Duration time = retryAfter(refused);
    if (pausedUntil - now <= 0) {
      log.atInfo()
          .addKeyValue("for", time)
          .log("the API server has too much to do and writes wait");
    }
    pausedUntil = Math.max(pausedUntil, now + time.toNanos());
  }

  private static Duration retryAfter(KubernetesClientException refused) {
    Status status = refused.getStatus();
    StatusDetails details = status == null ? null : status.getDetails();
    Integer seconds = details == null ? null : details.getRetryAfterSeconds();
    return seconds == null
        ? REST
        : Duration.ofSeconds(Math.clamp(seconds, REST.toSeconds(), LONGEST_PAUSE.toSeconds()));
  }

  private synchronized boolean mayWrite() {
    return writing;
  }

  private synchronized void done(Job job, Outcome outcome) {
    running.remove(job.name());
    if (!writing) {
      return;
    }
    resting.put(job.name(), System.nanoTime() + REST.toNanos());
    switch (outcome) {
      case DONE -> {
        if (job instanceof Job.Event(var notice, _)) {
          told.add(notice);
          resting.remove(job.name());
        } else {
          written.put(job.name(), job.base());
        }
      }
      case GONE, GIVEN_UP -> {}
      // Most often the watch brings a newer version meanwhile, and with it another wish.
      case CONFLICT, FAILED, FORBIDDEN, THROTTLED -> waiting.putIfAbsent(job.name(), job);
    }
    go();
  }

  private static Outcome outcome(KubernetesClientException refused) {
    return switch (refused.getCode()) {
      case 409, 412 -> Outcome.CONFLICT;
      case 404, 410 -> Outcome.GONE;
      case 401, 403 -> Outcome.FORBIDDEN;
      case TOO_MANY_REQUESTS -> Outcome.THROTTLED;
      default -> Outcome.FAILED;
    };
  }

  // --- calls ---

  private Outcome write(Job job, Map<Kind, String> of) {
    return switch (job) {
      case Job.Status(var write) ->
          writeStatus(write.ref(), write.uid(), write.resourceVersion(), write.status(), of);
      case Job.Finalizers(var write) -> writeFinalizers(write, of);
      case Job.Endpoint(var write) -> writeEndpoint(write, of);
      case Job.Event(var notice, _) -> sendEvent(notice, of);
    };
  }

  /// The version in which the server has the kind.
  private static String version(Kind kind, Map<Kind, String> of) {
    return of.getOrDefault(kind, kind.versions().getFirst());
  }

  /// Reads the object as it is now and writes it back with this status, unless it is another than
  /// the one that the status was made from.
  private Outcome writeStatus(
      ObjectRef ref, String uid, String resourceVersion, RawJson status, Map<Kind, String> of) {
    String path = ApiServer.path(ref, version(ref.kind(), of));
    if (!(api.get(path) instanceof ObjectNode object)) {
      return Outcome.GONE;
    }
    JsonNode meta = object.path("metadata");
    if (!meta.path("resourceVersion").asText().equals(resourceVersion)
        || !(uid.isEmpty() || meta.path("uid").asText().equals(uid))) {
      return Outcome.CONFLICT;
    }
    object.set("status", status.tree());
    if (!mayWrite()) {
      return Outcome.GIVEN_UP;
    }
    api.send("PUT", path + "/status", object);
    return Outcome.DONE;
  }

  private Outcome writeFinalizers(FinalizersWrite write, Map<Kind, String> of) {
    ObjectRef ref = write.ref();
    ObjectNode patch = JsonNodeFactory.instance.objectNode();
    ObjectNode meta =
        patch
            .putObject("metadata")
            .put("uid", write.uid())
            .put("resourceVersion", write.resourceVersion());
    write.finalizers().forEach(meta.putArray("finalizers")::add);
    api.patch(ref, version(ref.kind(), of), patch);
    return Outcome.DONE;
  }

  private Outcome writeEndpoint(EndpointWrite write, Map<Kind, String> of) {
    ObjectRef ref = write.ref();
    String version = version(ref.kind(), of);
    switch (write) {
      case EndpointWrite.Create create ->
          api.send(
              "POST", ApiServer.path(ref.kind(), version, ref.namespace()), create.object().tree());
      case EndpointWrite.Replace replace -> {
        JsonNode object = replace.object().tree();
        if (object.get("metadata") instanceof ObjectNode meta) {
          meta.put("resourceVersion", replace.resourceVersion());
        }
        api.send("PUT", ApiServer.path(ref, version), object);
      }
      case EndpointWrite.Status status -> {
        return writeStatus(ref, "", status.resourceVersion(), status.status(), of);
      }
      case EndpointWrite.Delete delete -> {
        ObjectNode options =
            JsonNodeFactory.instance
                .objectNode()
                .put("apiVersion", "v1")
                .put("kind", "DeleteOptions");
        options.putObject("preconditions").put("uid", delete.uid());
        api.send("DELETE", ApiServer.path(ref, version), options);
      }
    }
    return Outcome.DONE;
  }

  /// An event has its own name for ever, so that two agents do not send it twice.
  private Outcome sendEvent(Notice notice, Map<Kind, String> of) {
    ObjectRef ref = notice.regarding();
    String namespace = ref.namespace().isEmpty() ? CLUSTER_EVENTS : ref.namespace();
    ObjectNode event =
        JsonNodeFactory.instance
            .objectNode()
            .put("apiVersion", "events.k8s.io/v1")
            .put("kind", "Event")
            .put("eventTime", MICRO_TIME.format(Instant.now()))
            .put("type", notice.level().label())
            .put("reason", notice.reason())
            .put("note", notice.message())
            .put("action", notice.reason())
            .put("reportingController", CONTROLLER)
            .put("reportingInstance", identity);
    event.putObject("metadata").put("name", "penstock." + notice.key()).put("namespace", namespace);
    event
        .putObject("regarding")
        .put("apiVersion", ref.kind().apiVersion(version(ref.kind(), of)))
        .put("kind", ref.kind().label())
        .put("namespace", ref.namespace())
        .put("name", ref.name())
        .put("uid", notice.uid());
    try {
      api.send("POST", EVENTS_PATH + namespace + "/events", event);
    } catch (KubernetesClientException e) {
      if (e.getCode() != 409) {
        throw e;
      }
      // It was told before, by this agent or by another.
    }
    return Outcome.DONE;
  }

  @Override
  public void close() {
    office(Leadership.Office.FOLLOWER);
    timer.shutdownNow();
    calls.shutdown();
  }
}
