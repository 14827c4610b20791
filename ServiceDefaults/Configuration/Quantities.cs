using System.Globalization;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Durations and sizes as Synapse writes them.</summary>
public static class Quantities
{
    /// <summary><c>500</c> (milliseconds), <c>30s</c>, <c>5m</c>, <c>2h</c>, <c>1d</c>, <c>1w</c>, <c>1y</c> (365 days).</summary>
    public static bool TryParseDuration(string text, out TimeSpan duration)
    {
        long unit = 1;
        var number = text.AsSpan().Trim();
        if (number.Length > 0)
        {
            unit = number[^1] switch
            {
                's' => 1000L,
                'm' => 60_000L,
                'h' => 3_600_000L,
                'd' => 86_400_000L,
                'w' => 7 * 86_400_000L,
                'y' => 365 * 86_400_000L,
                _ => 1,
            };
            number = unit == 1 ? number : number[..^1];
        }

        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= long.MaxValue / TimeSpan.TicksPerMillisecond / unit)
        {
            duration = TimeSpan.FromTicks(count * unit * TimeSpan.TicksPerMillisecond);
            return true;
        }

        duration = default;
        return false;
    }

    /// <summary><c>1024</c> (bytes), <c>50K</c>, <c>50M</c>, <c>2G</c>, <c>1T</c>: powers of 1024.</summary>
    public static bool TryParseSize(string text, out long bytes)
    {
        var shift = 0;
        var number = text.AsSpan().Trim();
        if (number.Length > 0)
        {
            shift = number[^1] switch
            {
                'K' => 10,
                'M' => 20,
                'G' => 30,
                'T' => 40,
                _ => 0,
            };
            number = shift == 0 ? number : number[..^1];
        }

        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count <= long.MaxValue >> shift)
        {
            bytes = count << shift;
            return true;
        }

        bytes = 0;
        return false;
    }

    /// <summary>YAML 1.1's words, which Synapse's parser knows.</summary>
    public static bool TryParseBoolean(string text, out bool value)
    {
        switch (text.Trim().ToLowerInvariant())
        {
            case "true" or "yes" or "on":
                value = true;
                return true;
            case "false" or "no" or "off":
                value = false;
                return true;
            default:
                value = false;
                return false;
        }
    }
}
