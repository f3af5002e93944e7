using System.Buffers.Binary;
using System.Text;

namespace Myna.Machines.Guests;

/// <summary>What a kernel module says about itself in its .modinfo section (include/linux/module.h).</summary>
/// <param name="Name">With underscores, as lsmod shows it.</param>
/// <param name="Depends">Modules that must be loaded before it.</param>
/// <param name="SoftPre">Modules or aliases that should be loaded before it where they exist.</param>
/// <param name="Aliases">What the kernel may ask for when it wants this module.</param>
public sealed record ModuleInfo(string Name, IReadOnlyList<string> Depends, IReadOnlyList<string> SoftPre, IReadOnlyList<string> Aliases)
{
    /// <summary>A module's name as the kernel spells it: file names may have hyphens.</summary>
    public static string Normalize(string name) => name.Replace('-', '_');

    /// <summary>Reads a 64-bit ELF module.</summary>
    /// <exception cref="InvalidDataException">It is not one.</exception>
    public static ModuleInfo Read(string name, ReadOnlySpan<byte> elf)
    {
        List<string> depends = [], soft = [], aliases = [];
        foreach (string entry in Encoding.UTF8.GetString(Section(name, elf, ".modinfo")).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = entry.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                continue;
            string value = entry[(equals + 1)..];
            switch (entry[..equals])
            {
                case "depends":
                    depends.AddRange(value.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Normalize));
                    break;
                case "alias":
                    aliases.Add(value);
                    break;
                case "softdep":
                    soft.AddRange(SoftDependencies(value));
                    break;
            }
        }
        return new(Normalize(name), depends, soft, aliases);
    }

    /// <summary>The names behind "pre:" up to "post:".</summary>
    private static IEnumerable<string> SoftDependencies(string value)
    {
        bool pre = false;
        foreach (string word in value.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word is "pre:" or "post:")
                pre = word == "pre:";
            else if (pre)
                yield return word;
        }
    }

    private static ReadOnlySpan<byte> Section(string module, ReadOnlySpan<byte> elf, string wanted)
    {
        if (elf.Length < 64 || !elf.StartsWith("\x7f"u8) || !elf[1..4].SequenceEqual("ELF"u8) || elf[4] != 2 || elf[5] != 1)
            throw new InvalidDataException($"kernel module {module} is not a 64-bit little-endian ELF file");
        try
        {
            ulong table = BinaryPrimitives.ReadUInt64LittleEndian(elf[0x28..]);
            int size = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3A..]);
            int count = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3C..]);
            int names = BinaryPrimitives.ReadUInt16LittleEndian(elf[0x3E..]);
            ReadOnlySpan<byte> strings = Content(elf, Header(elf, table, size, names));
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<byte> header = Header(elf, table, size, i);
                ReadOnlySpan<byte> name = strings[(int)BinaryPrimitives.ReadUInt32LittleEndian(header)..];
                name = name[..name.IndexOf((byte)0)];
                if (name.SequenceEqual(Encoding.ASCII.GetBytes(wanted)))
                    return Content(elf, header);
            }
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException($"kernel module {module} is damaged", e);
        }
        throw new InvalidDataException($"kernel module {module} has no {wanted} section");
    }

    private static ReadOnlySpan<byte> Header(ReadOnlySpan<byte> elf, ulong table, int size, int index) =>
        elf.Slice(checked((int)table + size * index), size);

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> elf, ReadOnlySpan<byte> header) =>
        elf.Slice(checked((int)BinaryPrimitives.ReadUInt64LittleEndian(header[0x18..])), checked((int)BinaryPrimitives.ReadUInt64LittleEndian(header[0x20..])));
}
