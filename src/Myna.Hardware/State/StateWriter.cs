using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Myna.Hardware.State;

/// <summary>A saved field as <see cref="StateWriter.Describe"/> shows it.</summary>
/// <param name="ElementSize">Bytes of one element of <paramref name="Value"/>; 0 for a field that is other objects.</param>
/// <param name="Value">Little-endian.</param>
/// <param name="Children">The objects, each with its own fields.</param>
public sealed record StateField(string Name, int ElementSize, byte[] Value, IReadOnlyList<StateField> Children);

/// <summary>
/// Writes saved state: a section per object (name, version, length), in it a record per field (tag, length, bytes),
/// all little-endian. The same container serves snapshots, migration and suspend.
/// </summary>
public sealed class StateWriter
{
    private readonly MemoryStream _stream = new();
    private readonly BinaryWriter _writer;
    private readonly List<StateField>? _fields;
    private IReadOnlyList<StateField> _children = [];
    private string _name = "";

    /// <param name="describe">Collects <see cref="Fields"/> as well.</param>
    public StateWriter(bool describe = false)
    {
        _writer = new BinaryWriter(_stream, Encoding.UTF8);
        if (describe)
            _fields = [];
    }

    /// <summary>What was written, by name, for people to read.</summary>
    public IReadOnlyList<StateField> Fields => _fields ?? [];

    /// <summary>The saved fields of an object, by name. The machine is paused.</summary>
    public static IReadOnlyList<StateField> Describe(IStateful item)
    {
        var writer = new StateWriter(describe: true);
        item.SaveState(writer);
        return writer.Fields;
    }

    /// <summary>Names the next field.</summary>
    public void Name(string name) => _name = name;

    public byte[] ToArray() => _stream.ToArray();

    /// <summary>A whole object as a section.</summary>
    public void WriteSection(IStateful item)
    {
        var inner = new StateWriter(_fields is not null);
        item.SaveState(inner);
        if (_fields is not null)
            _children = [.. _children, new StateField(item.StateName, 0, [], inner.Fields)];
        byte[] body = inner.ToArray();
        _writer.Write(item.StateName);
        _writer.Write((ushort)item.StateVersion);
        _writer.Write(body.Length);
        _writer.Write(body);
    }

    public void Write<T>(ushort tag, T value) where T : unmanaged => Record(tag, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), Unsafe.SizeOf<T>());
    public void Write<T>(ushort tag, ReadOnlySpan<T> values) where T : unmanaged => Record(tag, MemoryMarshal.AsBytes(values), Unsafe.SizeOf<T>());
    public void Write(ushort tag, string? value) => Record(tag, value is null ? [] : [1, .. Encoding.UTF8.GetBytes(value)]);

    public void Write(ushort tag, IStateful? item)
    {
        var inner = new StateWriter(_fields is not null);
        if (item is not null)
            inner.WriteSection(item);
        Record(tag, inner.ToArray(), 0, inner._children);
    }

    public void Write(ushort tag, ReadOnlySpan<IStateful> items)
    {
        var inner = new StateWriter(_fields is not null);
        foreach (IStateful item in items)
            inner.WriteSection(item);
        Record(tag, inner.ToArray(), 0, inner._children);
    }

    private void Record(ushort tag, ReadOnlySpan<byte> bytes, int elementSize = 1, IReadOnlyList<StateField>? children = null)
    {
        _fields?.Add(new StateField(_name.Length != 0 ? _name : $"field {tag}", elementSize, children is null ? bytes.ToArray() : [], children ?? []));
        _name = "";
        _writer.Write(tag);
        _writer.Write(bytes.Length);
        _writer.Write(bytes);
    }
}
