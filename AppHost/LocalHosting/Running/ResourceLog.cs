using System.Text;

namespace Aspire.Hosting.Running;

/// <summary>Output of a resource: the last lines in memory for the dashboard, all of it in a file (two of at most 10 MB).</summary>
internal sealed class ResourceLog(string? file) : IDisposable
{
    private const int Kept = 2000;
    private const long FileLimit = 10 << 20;
    private readonly Lock _lock = new();
    private readonly Queue<LogLine> _lines = new();
    private StreamWriter? _writer;
    private int _count;

    public Changes Changes { get; } = new();

    public void Add(string text, bool isError)
    {
        lock (_lock)
        {
            _lines.Enqueue(new(++_count, text, isError));
            if (_lines.Count > Kept)
            {
                _lines.Dequeue();
            }

            Write(text);
        }

        Changes.Signal();
    }

    /// <summary>Lines after number <paramref name="after"/>, as far as they are still here.</summary>
    public IReadOnlyList<LogLine> After(int after)
    {
        lock (_lock)
        {
            return [.. _lines.Where(l => l.Number > after)];
        }
    }

    public IReadOnlyList<string> Last(int count)
    {
        lock (_lock)
        {
            return [.. _lines.TakeLast(count).Select(l => l.Text)];
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _writer?.Dispose();
            _writer = null;
        }
    }

    private void Write(string text)
    {
        if (file is null)
        {
            return;
        }

        if (_writer is null || _writer.BaseStream.Length > FileLimit)
        {
            _writer?.Dispose();
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            if (File.Exists(file) && new FileInfo(file).Length > FileLimit)
            {
                File.Move(file, file + ".1", overwrite: true);
            }

            _writer = new(new FileStream(file, FileMode.Append, FileAccess.Write, FileShare.ReadWrite), new UTF8Encoding(false)) { AutoFlush = true };
        }

        _writer.WriteLine(text);
    }
}
