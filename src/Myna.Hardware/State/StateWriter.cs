using System.Runtime.InteropServices;
using System.Text;

namespace Myna.Hardware.State;

/// <summary>
/// Writes saved state: a section per object (name, version, length), in it a record per field (tag, length, bytes),
/// all little-endian. The same container serves snapshots, migration and suspend.
/// </summary>
public sealed class StateWriter
{
    private readonly MemoryStream _stream = new();
    private readonly BinaryWriter _writer;

    public StateWriter() => _writer = new BinaryWriter(_stream, Encoding.UTF8);

    public byte[] ToArray() => _stream.ToArray();

    /// <summary>A whole object as a section.</summary>
    public void WriteSection(IStateful item)
    {
        var inner = new StateWriter();
        item.SaveState(inner);
        byte[] body = inner.ToArray();
        _writer.Write(item.StateName);
        _writer.Write((ushort)item.StateVersion);
        _writer.Write(body.Length);
        _writer.Write(body);
    }

    public void Write<T>(ushort tag, T value) where T : unmanaged => Record(tag, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
    public void Write<T>(ushort tag, ReadOnlySpan<T> values) where T : unmanaged => Record(tag, MemoryMarshal.AsBytes(values));
    public void Write(ushort tag, string? value) => Record(tag, value is null ? [] : [1, .. Encoding.UTF8.GetBytes(value)]);

    public void Write(ushort tag, IStateful? item)
    {
        var inner = new StateWriter();
        if (item is not null)
            inner.WriteSection(item);
        Record(tag, inner.ToArray());
    }

    public void Write(ushort tag, ReadOnlySpan<IStateful> items)
    {
        var inner = new StateWriter();
        foreach (IStateful item in items)
            inner.WriteSection(item);
        Record(tag, inner.ToArray());
    }

    private void Record(ushort tag, ReadOnlySpan<byte> bytes)
    {
        _writer.Write(tag);
        _writer.Write(bytes.Length);
        _writer.Write(bytes);
    }
}
