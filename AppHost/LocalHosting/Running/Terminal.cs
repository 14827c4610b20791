using System.Globalization;

namespace Aspire.Hosting.Running;

/// <summary>What the person who started the run reads. Plain lines: they survive a log file and a narrow window.</summary>
internal sealed class Terminal(TextWriter output, TextWriter errors)
{
    private readonly Lock _lock = new();

    public void Line(string text)
    {
        lock (_lock)
        {
            output.WriteLine(text);
            output.Flush();
        }
    }

    public void Progress(string name, string state, string address, TimeSpan after) =>
        Line(string.Create(CultureInfo.InvariantCulture, $"  {name,-20} {state,-6} {after.TotalSeconds,6:0.0} s  {address}").TrimEnd());

    public void Error(string text)
    {
        lock (_lock)
        {
            errors.WriteLine();
            errors.WriteLine(text);
            errors.WriteLine();
            errors.Flush();
        }
    }
}
