import Decoding
import OpenAIServer
import Testing

@Suite struct ExpositionTests {
  @Test("a histogram's buckets add up, its bounds are included")
  func histogram() {
    var histogram = Histogram(bounds: [1, 2.5])
    for value in [0.5, 1, 2, 99] { histogram.observe(value) }
    #expect(histogram.counts == [2, 1, 1] && histogram.count == 4 && histogram.sum == 102.5)
    var text = ExpositionText(labels: [("model_name", "m")])
    text.histogram("h", "Help.", histogram)
    #expect(
      text.text == """
        # HELP h Help.
        # TYPE h histogram
        h_bucket{model_name="m",le="1.0"} 2.0
        h_bucket{model_name="m",le="2.5"} 3.0
        h_bucket{model_name="m",le="+Inf"} 4.0
        h_count{model_name="m"} 4.0
        h_sum{model_name="m"} 102.5

        """)
  }

  @Test("response times stand by endpoint, under labels of their own")
  func durations() {
    var histogram = Histogram(bounds: [1])
    histogram.observe(0.5)
    var text = ExpositionText(labels: [("model_name", "m")])
    text.durations([("GET", "/a", histogram), ("POST", "/a", histogram)])
    let lines = text.text.split(separator: "\n")
    #expect(lines.count { $0.hasPrefix("# TYPE http_request_duration_seconds histogram") } == 1 && lines.count == 10)
    #expect(lines.contains("http_request_duration_seconds_bucket{method=\"GET\",handler=\"/a\",le=\"1.0\"} 1.0"))
    #expect(lines.contains("http_request_duration_seconds_count{method=\"POST\",handler=\"/a\"} 1.0"))
  }

  @Test("quantiles lie in the bucket that holds them; a difference counts what came since")
  func quantiles() {
    var histogram = Histogram(bounds: [1, 2, 4])
    #expect(histogram.quantile(0.5) == nil)
    for _ in 0..<4 { histogram.observe(0.5) }
    let earlier = histogram
    for value in [1.5, 1.5, 3, 9] { histogram.observe(value) }
    #expect(histogram.quantile(0.5) == 1 && histogram.quantile(0.25) == 0.5 && histogram.quantile(1) == 4)
    let since = histogram.since(earlier)
    #expect(since.counts == [0, 2, 1, 1] && since.sum == 15 && since.quantile(0.25) == 1.5)
  }

  @Test("counters end in _total; labels are escaped")
  func counters() {
    var text = ExpositionText(labels: [("model_name", "a\"b\\c\nd")])
    text.counter("c", "Help.", 3)
    text.counters("p", "Help.", label: "position", [("0", 1)])
    #expect(text.text.contains("c_total{model_name=\"a\\\"b\\\\c\\nd\"} 3.0\n"))
    #expect(text.text.contains("# TYPE p_total counter\n") && text.text.contains(",position=\"0\"} 1.0\n"))
  }
}
