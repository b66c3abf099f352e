package dev.penstock.agent.kubernetes.watch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.penstock.agent.kubernetes.objects.Kind;
import dev.penstock.agent.kubernetes.objects.ObjectReader;
import dev.penstock.agent.kubernetes.objects.ObjectRef;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.informers.cache.ItemStore;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The objects of one kind, in one namespace or in all, as one list and the watch after it tell
/// them; told again from the start when the server cannot go on from where the watch broke. Runs on
/// the client's threads; safe for use by any.
final class KindWatch implements AutoCloseable {
  /// Who is told of what happens; called on the client's threads.
  interface Listener {
    /// An object is there, is another, or is gone.
    ///
    /// @param now null when it is gone
    void changed(ObjectRef ref, ObjectReader.@Nullable Read now);

    /// All objects that there are have been told.
    void synced();

    /// The server refuses or cannot be reached; it is asked again.
    void failed(String why);
  }

  private static final Logger log = LoggerFactory.getLogger(KindWatch.class);

  /// Objects of one page of a list: a list of thousands, read at once, would take more memory than
  /// all that is kept of it.
  private static final long PAGE = 500;

  private static final ObjectMapper JSON = JsonMapper.builder().build();

  private final Kind kind;
  private final String version;
  private final String namespace;
  private final Listener listener;

  /// In the order in which views have them: putting one together need not sort them.
  private final Map<ObjectRef, ObjectReader.Read> objects = new ConcurrentSkipListMap<>();

  private final SharedIndexInformer<GenericKubernetesResource> informer;
  private volatile boolean synced;
  private volatile boolean refused;
  private volatile boolean closed;
  private int timesSilent;

  /// Why nothing is told; empty while all is well.
  private volatile String problem = "";

  /// @param namespace empty for all
  KindWatch(ApiServer api, Kind kind, String version, String namespace, Listener listener) {
    this.kind = kind;
    this.version = version;
    this.namespace = namespace;
    this.listener = listener;
    var all = api.client().genericKubernetesResources(ApiServer.context(kind, version));
    informer =
        namespace.isEmpty()
            ? all.inAnyNamespace().withLimit(PAGE).runnableInformer(0)
            : all.inNamespace(namespace).withLimit(PAGE).runnableInformer(0);
    informer
        .itemStore(new Names())
        .addEventHandler(new Handler())
        .exceptionHandler((_, failed) -> {
          failed(failed);
          return !closed;
        });
  }

  /// Lists and watches until [#close].
  void start() {
    informer
        .start()
        .whenComplete((_, failed) -> {
          if (closed) {
            return;
          }
          if (failed == null) {
            synced = true;
            problem = "";
            listener.synced();
          } else {
            failed(failed);
          }
        });
  }

  private void failed(Throwable why) {
    if (closed) {
      return;
    }
    String text = reason(why);
    boolean news = !text.equals(problem);
    problem = text;
    if (news) {
      log.atWarn()
          .addKeyValue("resource", resource())
          .addKeyValue("namespace", namespace.isEmpty() ? "all" : namespace)
          .addKeyValue("cause", text)
          .log("objects of a kind cannot be read");
    }
    listener.failed(text);
  }

  /// Which right is missing, or what else is wrong.
  private String reason(Throwable why) {
    Throwable cause = why;
    while (cause.getCause() != null && !(cause instanceof KubernetesClientException)) {
      cause = cause.getCause();
    }
    if (cause instanceof KubernetesClientException answer) {
      switch (answer.getCode()) {
        case 401 -> {
          refused = true;
          return "the API server does not know who asks (401)";
        }
        case 403 -> {
          refused = true;
          return "list and watch of "
              + resource()
              + " are forbidden (expected: a role that allows them)";
        }
        default -> {
          // What went wrong is told below.
        }
      }
    }
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
  }

  private String resource() {
    return kind.group().isEmpty() ? kind.plural() : kind.plural() + "." + kind.group();
  }

  /// Whether `watch` is this one, and asked for what comes after all that this knows.
  boolean isAskedBy(ApiServer.Expired watch) {
    return watch.path().endsWith(ApiServer.path(kind, version, namespace))
        && watch.since().equals(informer.lastSyncResourceVersion());
  }

  String version() {
    return version;
  }

  boolean isSynced() {
    return synced;
  }

  /// Whether the server said that this agent may not read these objects.
  boolean isRefused() {
    return refused;
  }

  /// Whether news would arrive.
  boolean isWatching() {
    return informer.isWatching();
  }

  /// How often in a row nothing would arrive though something did before. To be asked at regular
  /// intervals, by one thread.
  int timesSilent() {
    timesSilent = synced && !isWatching() ? timesSilent + 1 : 0;
    return timesSilent;
  }

  /// Why nothing is told; empty while all is well.
  String problem() {
    return isWatching() ? "" : problem;
  }

  ObjectReader.@Nullable Read get(ObjectRef ref) {
    return objects.get(ref);
  }

  Collection<ObjectReader.Read> objects() {
    return objects.values();
  }

  @Override
  public void close() {
    closed = true;
    informer.stop();
  }

  private final class Handler implements ResourceEventHandler<GenericKubernetesResource> {
    @Override
    public void onAdd(GenericKubernetesResource object) {
      put(object);
    }

    @Override
    public void onUpdate(GenericKubernetesResource before, GenericKubernetesResource now) {
      put(now);
    }

    private void put(GenericKubernetesResource object) {
      JsonNode json = JSON.valueToTree(object);
      ObjectReader.Read read = ObjectReader.read(kind, json);
      ObjectRef ref = refOf(object.getMetadata());
      objects.put(ref, read);
      if (!closed) {
        listener.changed(ref, read);
      }
    }

    @Override
    public void onDelete(GenericKubernetesResource object, boolean unknownState) {
      ObjectRef ref = refOf(object.getMetadata());
      objects.remove(ref);
      if (!closed) {
        listener.changed(ref, null);
      }
    }

    private ObjectRef refOf(ObjectMeta meta) {
      return new ObjectRef(
          kind, meta.getNamespace() == null ? "" : meta.getNamespace(), meta.getName());
    }
  }

  /// What the client needs to remember of the objects: not what is in them, that is in our records.
  private static final class Names implements ItemStore<GenericKubernetesResource> {
    private final Map<String, GenericKubernetesResource> byKey = new ConcurrentHashMap<>();

    @Override
    public String getKey(GenericKubernetesResource object) {
      ObjectMeta meta = object.getMetadata();
      return meta.getNamespace() == null
          ? meta.getName()
          : meta.getNamespace() + "/" + meta.getName();
    }

    @Override
    public @Nullable GenericKubernetesResource put(String key, GenericKubernetesResource object) {
      var name = new GenericKubernetesResource();
      name.setAdditionalProperties(null);
      var meta = new ObjectMeta();
      meta.setAnnotations(null);
      meta.setLabels(null);
      meta.setFinalizers(null);
      meta.setManagedFields(null);
      meta.setOwnerReferences(null);
      meta.setAdditionalProperties(null);
      meta.setName(object.getMetadata().getName());
      meta.setNamespace(object.getMetadata().getNamespace());
      meta.setUid(object.getMetadata().getUid());
      meta.setResourceVersion(object.getMetadata().getResourceVersion());
      name.setMetadata(meta);
      return byKey.put(key, name);
    }

    @Override
    public @Nullable GenericKubernetesResource remove(String key) {
      return byKey.remove(key);
    }

    @Override
    public Stream<String> keySet() {
      return byKey.keySet().stream();
    }

    @Override
    public Stream<GenericKubernetesResource> values() {
      return byKey.values().stream();
    }

    @Override
    public int size() {
      return byKey.size();
    }

    @Override
    public @Nullable GenericKubernetesResource get(String key) {
      return byKey.get(key);
    }

    @Override
    public boolean isFullState() {
      return false;
    }
  }
}
