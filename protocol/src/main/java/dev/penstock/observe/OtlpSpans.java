package dev.penstock.observe;

import dev.penstock.protocol.control.TraceContext;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.IdGenerator;
import io.opentelemetry.sdk.trace.ReadWriteSpan;
import io.opentelemetry.sdk.trace.ReadableSpan;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.SpanProcessor;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import io.opentelemetry.sdk.trace.samplers.Sampler;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// Makes the spans of passages once these are over, from the moments that they name, and sends them
/// by OTLP over HTTP. One batch of at most [#BATCH] is under way at a time, and at most [#WAITING]
/// spans wait; what is above is dropped and counted, and so is a batch that the collector does not
/// take.
final class OtlpSpans implements Spans {
  static final int WAITING = 4096;
  static final int BATCH = 512;

  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Duration GOODBYE = Duration.ofSeconds(1);
  private static final org.slf4j.Logger log = LoggerFactory.getLogger(OtlpSpans.class);

  /// The library's own complaints come without format and bound; it says nothing that we do not.
  private static final Logger LIBRARY = Logger.getLogger("io.opentelemetry");

  private enum Fault {
    NOT_SENT
  }

  private final double ratio;
  private final SpanExporter exporter;
  private final SdkTracerProvider provider;
  private final Tracer tracer;
  private final PlannedIds ids = new PlannedIds();
  private final List<SpanData> waiting = new ArrayList<>();
  private final LongAdder sent = new LongAdder();
  private final LongAdder dropped = new LongAdder();
  private final RateLimitedLog<Fault> faults = new RateLimitedLog<>(Fault.class, 1);

  /// Guarded by this, as what waits.
  private @Nullable CompletableResultCode underWay;

  OtlpSpans(TracingSettings settings, String service) {
    LIBRARY.setLevel(Level.OFF);
    ratio = settings.sampleRatio();
    exporter =
        OtlpHttpSpanExporter.builder().setEndpoint(settings.target()).setTimeout(TIMEOUT).build();
    provider =
        SdkTracerProvider.builder()
            .setIdGenerator(ids)
            .setSampler(Sampler.alwaysOn())
            .setResource(
                Resource.create(Attributes.of(AttributeKey.stringKey("service.name"), service)))
            .addSpanProcessor(new Collecting())
            .build();
    tracer = provider.get("dev.penstock");
  }

  @Override
  public @Nullable TraceContext begin() {
    var random = ThreadLocalRandom.current();
    return random.nextDouble() < ratio
        ? TraceContext.of(random.nextLong(), notZero(random), notZero(random))
        : null;
  }

  private static long notZero(ThreadLocalRandom random) {
    return random.nextLong() | 1;
  }

  @Override
  public void take(Passage passage, String node) {
    TraceContext own = passage.trace();
    if (own == null) {
      return;
    }
    var now = Instant.now();
    long toEpoch =
        TimeUnit.SECONDS.toNanos(now.getEpochSecond()) + now.getNano() - System.nanoTime();
    ids.plan(own);
    SpanBuilder begun =
        tracer
            .spanBuilder(passage.kind().span())
            .setSpanKind(passage.parent() == null ? SpanKind.SERVER : SpanKind.INTERNAL)
            .setStartTimestamp(passage.startedAt() + toEpoch, TimeUnit.NANOSECONDS);
    String parent = passage.parent();
    if (parent == null) {
      begun.setNoParent();
    } else {
      begun.setParent(Context.root().with(Span.wrap(remote(own.traceId(), parent))));
    }
    for (Passage.Field field : passage.told()) {
      attribute(begun, field);
    }
    if (!node.isEmpty()) {
      begun.setAttribute("node", node);
    }
    Span span = begun.startSpan();
    if (passage.kind() == Passage.Kind.REFUSED) {
      span.setStatus(StatusCode.ERROR);
    }
    Context around = Context.root().with(span);
    for (Passage.Made made : passage.steps()) {
      ids.planNothing();
      tracer
          .spanBuilder(made.step().span())
          .setParent(around)
          .setStartTimestamp(made.from() + toEpoch, TimeUnit.NANOSECONDS)
          .startSpan()
          .end(made.until() + toEpoch, TimeUnit.NANOSECONDS);
    }
    span.end(passage.endedAt() + toEpoch, TimeUnit.NANOSECONDS);
  }

  private static SpanContext remote(String traceId, String spanId) {
    return SpanContext.createFromRemoteParent(
        traceId, spanId, TraceFlags.getSampled(), TraceState.getDefault());
  }

  private static void attribute(SpanBuilder span, Passage.Field field) {
    String key = "penstock." + field.key();
    switch (field.value()) {
      case Integer number -> span.setAttribute(key, number.longValue());
      case Long number -> span.setAttribute(key, number.longValue());
      case Double number -> span.setAttribute(key, number.doubleValue());
      default -> span.setAttribute(key, field.value().toString());
    }
  }

  @Override
  public synchronized void send() {
    if (underWay != null || waiting.isEmpty()) {
      return;
    }
    List<SpanData> first = waiting.subList(0, Math.min(BATCH, waiting.size()));
    var batch = List.copyOf(first);
    first.clear();
    CompletableResultCode result = exporter.export(batch);
    underWay = result;
    result.whenComplete(() -> over(result, batch.size()));
  }

  private void over(CompletableResultCode result, int spans) {
    if (result.isSuccess()) {
      sent.add(spans);
    } else {
      dropped.add(spans);
      faults
          .at(Fault.NOT_SENT, log.atWarn())
          .addKeyValue("spans", spans)
          .addKeyValue("cause", result.getFailureThrowable())
          .log("the collector did not take spans");
    }
    synchronized (this) {
      underWay = null;
    }
    send();
  }

  @Override
  public long sent() {
    return sent.sum();
  }

  @Override
  public long dropped() {
    return dropped.sum();
  }

  /// Gives what waits one more try, which may take a second.
  @Override
  public void close() {
    CompletableResultCode last;
    synchronized (this) {
      last = underWay;
    }
    if (last != null) {
      last.join(GOODBYE.toMillis(), TimeUnit.MILLISECONDS);
    }
    send();
    synchronized (this) {
      last = underWay;
    }
    if (last != null) {
      last.join(GOODBYE.toMillis(), TimeUnit.MILLISECONDS);
    }
    provider.close();
    exporter.shutdown();
  }

  /// Takes ended spans, as many as may wait.
  private final class Collecting implements SpanProcessor {
    @Override
    public void onStart(Context parent, ReadWriteSpan span) {}

    @Override
    public boolean isStartRequired() {
      return false;
    }

    @Override
    public void onEnd(ReadableSpan span) {
      synchronized (OtlpSpans.this) {
        if (waiting.size() < WAITING) {
          waiting.add(span.toSpanData());
          return;
        }
      }
      dropped.increment();
    }

    @Override
    public boolean isEndRequired() {
      return true;
    }
  }

  /// Gives a passage the ids under which the other end knows it already.
  private static final class PlannedIds implements IdGenerator {
    private final IdGenerator random = IdGenerator.random();
    private @Nullable TraceContext planned;

    void plan(TraceContext ids) {
      planned = ids;
    }

    void planNothing() {
      planned = null;
    }

    @Override
    public String generateSpanId() {
      return planned == null ? random.generateSpanId() : planned.spanId();
    }

    @Override
    public String generateTraceId() {
      return planned == null ? random.generateTraceId() : planned.traceId();
    }
  }
}
