using System.Globalization;
using Matrix.Primitives;
using Matrix.Storage.Sync;
using Matrix.Sync.Answers;
using Matrix.Sync.Store;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>Messages for the device, with a token of their own: they are acknowledged by <c>since</c> alone. Spec: MSC3885</summary>
internal sealed class ToDeviceExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private List<ToDeviceMessage> messages = [];
    private long upTo;
    private bool isAsked;

    private long Since => Request.Options.Since ?? 0;

    public override void Plan(ExtensionContext context)
    {
        var (device, now) = (context.Reader.Device, context.Plan.Now.ToDevice);
        upTo = Math.Max(now, Since);
        isAsked = device.LastToDevice > Since && device.FirstToDevice <= now;
    }

    public override async Task FillAsync(ExtensionContext context, ISyncStore store, CancellationToken ct)
    {
        if (isAsked) (messages, upTo) = await ToDevicePage.ReadAsync(store, context.Reader, Since, upTo, Request.Options.Limit, ct);
    }

    public override bool HasNews => messages.Count > 0;
    public override bool IsWritten => true;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"next_batch\":"u8).Text(upTo.ToString(CultureInfo.InvariantCulture)).Raw(",\"events\":["u8);
        output.ToDeviceMessages(messages).Raw("]}"u8);
    }
}
