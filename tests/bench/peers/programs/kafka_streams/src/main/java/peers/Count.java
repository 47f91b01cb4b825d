package peers;

import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Counts viewer events with the aggregation of Kafka Streams' DSL, as its documentation shows it.
 *
 * <p>Arguments: brokers, application id, topic, exactly_once_v2 or at_least_once, memory or
 * rocksdb, folder for the state, then settings as name=value.
 *
 * <p>It prints {@code begun SECONDS} when it is running for the first time, and
 * {@code restored SECONDS ROWS} after a restore.
 */
public final class Count {
    private static final String STORE = "figures";

    private Count() {
    }

    /** Runs until it is ended by a signal. */
    public static void main(String[] arguments) throws InterruptedException {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[1]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[3]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[5]);
        for (int number = 6; number < arguments.length; number++) {
            String[] pair = arguments[number].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        KafkaStreams streams = new KafkaStreams(topology(arguments[2], arguments[4]), settings);
        CountDownLatch ended = new CountDownLatch(1);
        Restored restored = new Restored();
        streams.setGlobalStateRestoreListener(restored);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                restored.tell();
                tell("begun");
            } else if (now == KafkaStreams.State.ERROR) {
                ended.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        ended.await();
    }

    private static Topology topology(String topic, String store) {
        StreamsBuilder builder = new StreamsBuilder();
        Materialized<Bytes, Figures, KeyValueStore<Bytes, byte[]>> figures =
            Materialized.as(store.equals("memory")
                ? Stores.inMemoryKeyValueStore(STORE)
                : Stores.persistentKeyValueStore(STORE));
        builder
            .stream(topic, Consumed.with(
                Serdes.Bytes(), Serdes.serdeFrom((name, event) -> null, Event.deserializer())))
            .groupByKey()
            .aggregate(
                Figures::new,
                (key, event, sum) -> sum.add(event),
                figures.withKeySerde(Serdes.Bytes()).withValueSerde(Figures.serde()));
        return builder.build();
    }

    private static void tell(String what) {
        System.out.println(what + " " + System.currentTimeMillis() / 1000.0);
    }

    /** Adds up what was restored. */
    private static final class Restored implements StateRestoreListener {
        private long rows;

        @Override
        public void onRestoreStart(TopicPartition partition, String store, long from, long to) {
        }

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long to, long count) {
        }

        @Override
        public synchronized void onRestoreEnd(TopicPartition partition, String store, long count) {
            rows += count;
        }

        private synchronized void tell() {
            if (rows > 0) {
                System.out.println("restored " + System.currentTimeMillis() / 1000.0 + " " + rows);
            }
        }
    }
}
