//! The trace of who creates an operation, linked from the trace of who runs it, however much later.
//!
//!     cargo run -p longrun-examples-otel --example traced
//!
//! prints (with other numbers)
//!
//!     request: trace 5b8aa5a2d2c872e8321cf37308d69df2, span 051581bf3cb55c13
//!     operation: trace 0af7651916cd43dd8448eb211c80319c, linked to span 051581bf3cb55c13 of trace 5b8aa5a2d2c872e8321cf37308d69df2
//!     the run is linked to the request
//!
//! The library depends on no tracer: it keeps the `traceparent` and says it in the run's span. A link needs
//! the tracer, so the host makes it, in the work.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use longrun::model::TraceParent;
use longrun::{NewOperation, Tracker};
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

/// The current span as W3C's Trace Context spells it.
fn trace_parent() -> String {
    let context = Span::current().context();
    let context = context.span().span_context().clone();
    format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), context.trace_flags().to_u8())
}

/// What an operation was created in, as a tracer knows it.
fn remote(parent: &TraceParent) -> Option<SpanContext> {
    let trace = TraceId::from_hex(parent.trace_id()).ok()?;
    let span = SpanId::from_hex(parent.parent_id()).ok()?;
    Some(SpanContext::new(trace, span, TraceFlags::new(parent.flags()), true, TraceState::default()))
}

async fn request(tracker: &Tracker) -> longrun::Result<longrun::Operation> {
    tracker.create(NewOperation::new("export").trace_parent(trace_parent())).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("traced"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let tracker = Tracker::builder().in_memory().await?;
    let export = request(&tracker).instrument(tracing::info_span!("request")).await?;

    // Later, elsewhere: nothing of the request is left but the record.
    let parent = export.trace_parent().cloned();
    let work = tracker.run(export.id(), async move |_| {
        if let Some(context) = parent.as_ref().and_then(remote) {
            Span::current().add_link(context);
        }
        Ok::<_, std::io::Error>(())
    });
    work.await?;
    tracker.close(Duration::from_secs(1)).await?;

    provider.force_flush()?;
    let spans = exporter.get_finished_spans()?;
    let named = |name: &str| spans.iter().find(|span| span.name == name).ok_or_else(|| format!("no span {name}"));
    let (request, operation): (&SpanData, &SpanData) = (named("request")?, named("operation")?);
    let (asked, ran) = (&request.span_context, &operation.span_context);
    println!("request: trace {}, span {}", asked.trace_id(), asked.span_id());
    for link in operation.links.iter() {
        let (to, trace) = (link.span_context.span_id(), link.span_context.trace_id());
        println!("operation: trace {}, linked to span {to} of trace {trace}", ran.trace_id());
        if (to, trace) == (asked.span_id(), asked.trace_id()) {
            println!("the run is linked to the request");
        }
    }
    Ok(())
}
