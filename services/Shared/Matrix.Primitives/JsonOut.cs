namespace Matrix.Primitives;

/// <summary>Writing JSON by hand into a pooled buffer: most of an answer is bytes that are there already.</summary>
public static class JsonOut
{
    public static PooledBuffer Raw(this PooledBuffer output, ReadOnlySpan<byte> json)
    {
        json.CopyTo(output.GetSpan(json.Length));
        output.Advance(json.Length);
        return output;
    }

    /// <summary>A string value in quotes.</summary>
    public static PooledBuffer Text(this PooledBuffer output, ReadOnlySpan<char> text)
    {
        CanonicalJson.WriteString(output, text);
        return output;
    }

    public static PooledBuffer Number(this PooledBuffer output, long number)
    {
        CanonicalJson.WriteNumber(output, number);
        return output;
    }

    /// <summary>A comma unless this is the first element; <paramref name="first"/> is false afterwards.</summary>
    public static PooledBuffer Comma(this PooledBuffer output, ref bool first)
    {
        if (!first) output.Raw(","u8);
        first = false;
        return output;
    }
}
