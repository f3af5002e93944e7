using System.Buffers.Binary;
using System.Text;
using Myna.Hardware.Firmware;

namespace Myna.Machines.Firmware;

/// <summary>Writes a device tree as a flattened blob, version 17 (Devicetree Specification 0.4, chapter 5).</summary>
public static class FlattenedDeviceTree
{
    private const uint Magic = 0xd00dfeed, Version = 17, LastCompatibleVersion = 16;
    private const uint FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_END = 9;
    private const int HeaderSize = 40, ReservationSize = 16;

    /// <param name="root">The root node; its name is empty.</param>
    /// <param name="bootCpu">The property boot_cpuid_phys.</param>
    public static byte[] Write(DeviceTreeNode root, uint bootCpu = 0)
    {
        var structure = new MemoryStream();
        var strings = new MemoryStream();
        WriteNode(root, structure, strings, []);
        Cell(structure, FDT_END);

        int structureOffset = HeaderSize + ReservationSize;
        int stringsOffset = structureOffset + (int)structure.Length;
        byte[] blob = new byte[stringsOffset + (int)strings.Length];
        ReadOnlySpan<uint> header =
        [
            Magic, (uint)blob.Length, (uint)structureOffset, (uint)stringsOffset, HeaderSize, Version, LastCompatibleVersion,
            bootCpu, (uint)strings.Length, (uint)structure.Length,
        ];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(blob.AsSpan(i * 4), header[i]);
        structure.ToArray().CopyTo(blob, structureOffset);
        strings.ToArray().CopyTo(blob, stringsOffset);
        return blob;
    }

    private static void WriteNode(DeviceTreeNode node, MemoryStream structure, MemoryStream strings, Dictionary<string, uint> offsets)
    {
        Cell(structure, FDT_BEGIN_NODE);
        Text(structure, node.Name);
        Pad(structure);
        foreach ((string name, byte[] value) in node.Properties)
        {
            if (!offsets.TryGetValue(name, out uint offset))
            {
                offsets[name] = offset = (uint)strings.Length;
                Text(strings, name);
            }
            Cell(structure, FDT_PROP);
            Cell(structure, (uint)value.Length);
            Cell(structure, offset);
            structure.Write(value);
            Pad(structure);
        }
        foreach (DeviceTreeNode child in node.Children)
            WriteNode(child, structure, strings, offsets);
        Cell(structure, FDT_END_NODE);
    }

    private static void Cell(MemoryStream stream, uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        stream.Write(bytes);
    }

    private static void Text(MemoryStream stream, string text)
    {
        stream.Write(Encoding.UTF8.GetBytes(text));
        stream.WriteByte(0);
    }

    private static void Pad(MemoryStream stream)
    {
        while (stream.Length % 4 != 0)
            stream.WriteByte(0);
    }
}
