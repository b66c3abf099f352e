package dev.penstock.observe;

import ch.qos.logback.classic.spi.ILoggingEvent;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.List;
import net.logstash.logback.composite.AbstractJsonProvider;
import org.slf4j.event.KeyValuePair;

/// Writes the key-values of an event as fields of its JSON object: numbers and truth values as they
/// are, everything else as its text. The library's own provider would open up any object that it is
/// given and so write what its text withholds, such as a secret. Made by logback.
public final class PlainKeyValues extends AbstractJsonProvider<ILoggingEvent> {
  @Override
  public void writeTo(JsonGenerator to, ILoggingEvent event) throws IOException {
    List<KeyValuePair> pairs = event.getKeyValuePairs();
    if (pairs == null) {
      return;
    }
    for (KeyValuePair pair : pairs) {
      to.writeFieldName(pair.key);
      switch (pair.value) {
        case Integer number -> to.writeNumber(number);
        case Long number -> to.writeNumber(number);
        case Double number -> to.writeNumber(number);
        case Boolean truth -> to.writeBoolean(truth);
        case null, default -> to.writeString(String.valueOf(pair.value));
      }
    }
  }
}
