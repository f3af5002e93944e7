using System.Buffers.Binary;
using System.Text;

namespace Myna.Hardware.Firmware;

/// <summary>
/// A node of a device tree (Devicetree Specification 0.4, section 2.2). Property values are kept as the bytes of the
/// flattened tree: big-endian cells, strings ended by NUL.
/// </summary>
public sealed class DeviceTreeNode(string name)
{
    private readonly List<KeyValuePair<string, byte[]>> _properties = [];
    private readonly List<DeviceTreeNode> _children = [];

    /// <summary>Node name with its unit address, as in "serial@10000000"; empty for the root.</summary>
    public string Name { get; } = name;

    public IReadOnlyList<KeyValuePair<string, byte[]>> Properties => _properties;
    public IReadOnlyList<DeviceTreeNode> Children => _children;

    /// <summary>Adds a child and returns it.</summary>
    public DeviceTreeNode Add(string name)
    {
        var child = new DeviceTreeNode(name);
        _children.Add(child);
        return child;
    }

    /// <summary>Adds or replaces a property of bytes; with none it is a boolean property that is present.</summary>
    /// <returns>This node.</returns>
    public DeviceTreeNode SetBytes(string property, ReadOnlySpan<byte> value)
    {
        var pair = KeyValuePair.Create(property, value.ToArray());
        int at = _properties.FindIndex(p => p.Key == property);
        if (at >= 0)
            _properties[at] = pair;
        else
            _properties.Add(pair);
        return this;
    }

    /// <summary>A boolean property, present.</summary>
    public DeviceTreeNode SetFlag(string property) => SetBytes(property, []);

    /// <summary>Cells of 32 bits.</summary>
    public DeviceTreeNode SetCells(string property, params ReadOnlySpan<uint> cells)
    {
        byte[] bytes = new byte[cells.Length * 4];
        for (int i = 0; i < cells.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(i * 4), cells[i]);
        return SetBytes(property, bytes);
    }

    /// <summary>Numbers of 64 bits, two cells each: addresses and sizes.</summary>
    public DeviceTreeNode SetNumbers(string property, params ReadOnlySpan<ulong> numbers)
    {
        byte[] bytes = new byte[numbers.Length * 8];
        for (int i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(i * 8), numbers[i]);
        return SetBytes(property, bytes);
    }

    /// <summary>A string or a list of strings.</summary>
    public DeviceTreeNode SetStrings(string property, params ReadOnlySpan<string> strings)
    {
        var text = new StringBuilder();
        foreach (string s in strings)
            text.Append(s).Append('\0');
        return SetBytes(property, Encoding.UTF8.GetBytes(text.ToString()));
    }
}
