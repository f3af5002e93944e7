using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Myna.Hardware.State;

/// <summary>
/// Reads what <see cref="StateWriter"/> wrote. Fields are found by tag, in any order; unknown tags are skipped, a missing
/// tag leaves the field at its value after reset. Lengths are checked before anything is allocated.
/// </summary>
public sealed class StateReader
{
    private readonly ReadOnlyMemory<byte> _data;
    private readonly Dictionary<ushort, ReadOnlyMemory<byte>> _records = [];
    private readonly string _where;
    private int _position;

    public StateReader(ReadOnlyMemory<byte> data, string where = "state")
    {
        _data = data;
        _where = where;
    }

    /// <summary>The version in the stream of the object being read.</summary>
    public int Version { get; private set; }

    /// <summary>True when every section has been read.</summary>
    public bool AtEnd => _position == _data.Length;

    /// <summary>Reads the next section into <paramref name="item"/>.</summary>
    /// <exception cref="StateException">It is another kind of object, a newer version, or damaged.</exception>
    public void ReadSection(IStateful item)
    {
        string name = ReadName();
        if (name != item.StateName)
            throw new StateException($"{_where}: expected the state of {item.StateName}, found {name}");
        int version = BinaryPrimitives.ReadUInt16LittleEndian(Take(2).Span);
        if (version > item.StateVersion)
            throw new StateException($"{_where}: the state of {name} is version {version}; this program knows up to {item.StateVersion}");
        int length = BinaryPrimitives.ReadInt32LittleEndian(Take(4).Span);
        var inner = new StateReader(Take(length), name) { Version = version };
        inner.Index();
        item.LoadState(inner);
    }

    public bool Has(ushort tag) => _records.ContainsKey(tag);

    public void Read<T>(ushort tag, ref T field) where T : unmanaged
    {
        if (!_records.TryGetValue(tag, out ReadOnlyMemory<byte> bytes))
            return;
        Span<byte> target = MemoryMarshal.AsBytes(new Span<T>(ref field));
        if (bytes.Length != target.Length)
            throw new StateException($"{_where}: field {tag} has {bytes.Length} bytes instead of {target.Length}");
        bytes.Span.CopyTo(target);
    }

    /// <summary>A fixed-length array: the stream must hold as many elements.</summary>
    public void Read<T>(ushort tag, Span<T> field) where T : unmanaged
    {
        if (!_records.TryGetValue(tag, out ReadOnlyMemory<byte> bytes))
            return;
        Span<byte> target = MemoryMarshal.AsBytes(field);
        if (bytes.Length != target.Length)
            throw new StateException($"{_where}: field {tag} has {bytes.Length} bytes instead of {target.Length}");
        bytes.Span.CopyTo(target);
    }

    /// <summary>An array whose length is part of the state.</summary>
    public void ReadArray<T>(ushort tag, ref T[] field) where T : unmanaged
    {
        if (!_records.TryGetValue(tag, out ReadOnlyMemory<byte> bytes))
            return;
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(bytes.Span);
        if (MemoryMarshal.AsBytes(values).Length != bytes.Length)
            throw new StateException($"{_where}: field {tag} is not a whole number of elements");
        field = values.ToArray();
    }

    public void Read(ushort tag, ref string? field)
    {
        if (_records.TryGetValue(tag, out ReadOnlyMemory<byte> bytes))
            field = bytes.Length == 0 ? null : Encoding.UTF8.GetString(bytes.Span[1..]);
    }

    public void Read(ushort tag, IStateful? item)
    {
        if (_records.TryGetValue(tag, out ReadOnlyMemory<byte> bytes) && item is not null && bytes.Length != 0)
            new StateReader(bytes, _where).ReadSection(item);
    }

    public void Read(ushort tag, ReadOnlySpan<IStateful> items)
    {
        if (!_records.TryGetValue(tag, out ReadOnlyMemory<byte> bytes))
            return;
        var reader = new StateReader(bytes, _where);
        foreach (IStateful item in items)
            reader.ReadSection(item);
        if (!reader.AtEnd)
            throw new StateException($"{_where}: field {tag} has more objects than this machine");
    }

    private void Index()
    {
        while (!AtEnd)
        {
            ushort tag = BinaryPrimitives.ReadUInt16LittleEndian(Take(2).Span);
            int length = BinaryPrimitives.ReadInt32LittleEndian(Take(4).Span);
            if (!_records.TryAdd(tag, Take(length)))
                throw new StateException($"{_where}: field {tag} appears twice");
        }
    }

    private string ReadName()
    {
        int length = Take(1).Span[0];
        if (length >= 0x80)
            throw new StateException($"{_where}: damaged section name");
        return Encoding.UTF8.GetString(Take(length).Span);
    }

    private ReadOnlyMemory<byte> Take(int count)
    {
        if (count < 0 || count > _data.Length - _position)
            throw new StateException($"{_where}: truncated");
        ReadOnlyMemory<byte> result = _data.Slice(_position, count);
        _position += count;
        return result;
    }
}
