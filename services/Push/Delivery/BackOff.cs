namespace Matrix.Push.Delivery;

/// <summary>How long a failing gateway is left in peace: twice as long each time, an hour at most, a little by chance.</summary>
internal static class BackOff
{
    public static readonly TimeSpan First = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);
    /// <summary>Synapse: a notification that could not be delivered for a day is dropped; nobody wants it any more.</summary>
    public static readonly TimeSpan GiveUpAfter = TimeSpan.FromDays(1);

    /// <param name="failures">In a row, from 1.</param>
    /// <param name="chance">In [0, 1).</param>
    public static TimeSpan Delay(int failures, double chance)
    {
        var seconds = First.TotalSeconds * Math.Pow(2, Math.Min(failures - 1, 20));
        return TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds) * (0.8 + 0.2 * chance));
    }
}
