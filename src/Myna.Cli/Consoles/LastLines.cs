using System.Text;

namespace Myna.Cli.Consoles;

/// <summary>Remembers the end of the guest's console, for when it fails before it can say anything elsewhere.</summary>
internal sealed class LastLines
{
    private const int Capacity = 16384;

    /// <summary>What Linux's reports of its own failures begin with.</summary>
    private static readonly string[] s_complaints = ["Kernel panic", "BUG: ", "Oops: ", "Internal error: ", "Out of memory: "];

    private readonly byte[] _ring = new byte[Capacity];
    private readonly Lock _lock = new();
    private long _written;

    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            foreach (byte b in bytes)
                _ring[_written++ % Capacity] = b;
        }
    }

    /// <summary>What explains an end that nobody asked for: from a kernel's complaint on, otherwise the last few lines.</summary>
    public string ReadEnd()
    {
        const int Few = 5, Before = 4, Many = 60;
        string[] lines = Read(int.MaxValue).Split('\n');
        int first = Array.FindIndex(lines, line => s_complaints.Any(c => line.Contains(c, StringComparison.Ordinal)));
        return first < 0 ? string.Join('\n', lines.TakeLast(Few)) : string.Join('\n', lines.Skip(Math.Max(0, first - Before)).Take(Many));
    }

    /// <summary>At most that many lines, without carriage returns.</summary>
    public string Read(int lines)
    {
        lock (_lock)
        {
            int count = (int)Math.Min(_written, Capacity);
            byte[] text = new byte[count];
            for (int i = 0; i < count; i++)
                text[i] = _ring[(_written - count + i) % Capacity];
            string[] all = Encoding.UTF8.GetString(text).Replace("\r", "", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            return string.Join('\n', all.TakeLast(lines));
        }
    }
}
