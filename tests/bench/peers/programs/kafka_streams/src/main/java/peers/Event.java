package peers;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.time.Instant;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;

/** A viewer event, as far as the job looks at it. */
@JsonIgnoreProperties(ignoreUnknown = true)
public record Event(String at, long viewers) {
    private static final ObjectReader READER = new ObjectMapper().readerFor(Event.class);

    /** Reads JSON. */
    public static Deserializer<Event> deserializer() {
        return (topic, bytes) -> {
            try {
                return bytes == null ? null : READER.readValue(bytes);
            } catch (IOException error) {
                throw new SerializationException("not a viewer event", error);
            }
        };
    }

    /** Milliseconds since 1970. */
    public long millis() {
        return Instant.parse(at).toEpochMilli();
    }
}
