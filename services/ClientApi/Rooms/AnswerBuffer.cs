using System.Buffers;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Rooms;

/// <summary>An answer object put together from slices of stored JSON.</summary>
internal sealed class AnswerBuffer(EventRenderer renderer)
{
    private readonly PooledBuffer output = new(16 * 1024);
    private bool any;

    private void Name(ReadOnlySpan<byte> name)
    {
        output.Write(any ? ",\""u8 : "{\""u8);
        output.Write(name);
        output.Write("\":"u8);
        any = true;
    }

    /// <param name="name">Needs no escapes.</param>
    public AnswerBuffer Events(ReadOnlySpan<byte> name, IReadOnlyList<StoredEvent> events)
    {
        Name(name);
        renderer.WriteArray(output, events);
        return this;
    }

    public AnswerBuffer Event(ReadOnlySpan<byte> name, StoredEvent e)
    {
        Name(name);
        renderer.Write(output, e);
        return this;
    }

    /// <summary>Nothing for null.</summary>
    public AnswerBuffer Token(ReadOnlySpan<byte> name, StreamToken? token)
    {
        if (token is null) return this;
        Name(name);
        CanonicalJson.WriteString(output, token.ToString());
        return this;
    }

    public AnswerBuffer Number(ReadOnlySpan<byte> name, long value)
    {
        Name(name);
        CanonicalJson.WriteNumber(output, value);
        return this;
    }

    /// <summary>Once, and last.</summary>
    public IResult Answer()
    {
        output.Write(any ? "}"u8 : "{}"u8);
        return MatrixResults.Raw(output);
    }
}
