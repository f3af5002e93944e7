using System.Buffers.Binary;
using System.Text;
using Myna.Host.User;
using Myna.Linux.Memory;

namespace Myna.Linux.Loading;

/// <summary>
/// The shared object that the kernel maps into every program (vdso(7)), made here: one page of ELF with dynamic symbols and a
/// version. Its functions are the system calls of their names.
/// </summary>
internal static class Vdso
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56, SectionHeaderSize = 64, SymbolSize = 24, Page = (int)AddressSpace.PageSize;

    /// <param name="Number">Of the system call.</param>
    private readonly record struct Function(string Name, int Number);

    private static readonly Function[] s_riscv =
    [
        new("__vdso_rt_sigreturn", 139), new("__vdso_gettimeofday", 169), new("__vdso_clock_gettime", 113), new("__vdso_clock_getres", 114),
        new("__vdso_getcpu", 168), new("__vdso_flush_icache", 259), new("__vdso_riscv_hwprobe", 258),
    ];

    private static readonly Function[] s_x64 =
    [
        new("__vdso_clock_gettime", 228), new("__vdso_gettimeofday", 96), new("__vdso_clock_getres", 229), new("__vdso_time", 201), new("__vdso_getcpu", 309),
        new("clock_gettime", 228), new("gettimeofday", 96), new("clock_getres", 229), new("time", 201), new("getcpu", 309),
    ];

    /// <summary>Maps it.</summary>
    /// <returns>Its address; 0 for a target without one.</returns>
    /// <exception cref="LoadException">There is no room.</exception>
    public static ulong Map(AddressSpace space, Target target)
    {
        if (Build(target) is not { } image)
            return 0;
        long start = space.Map(0, (ulong)image.Length, Protection.Read | Protection.Write, MapFlags.Private | MapFlags.Anonymous);
        if (start < 0)
            throw new LoadException("there is no memory for the vDSO", (int)-start);
        _ = SafeMemory.Write((ulong)start, image);
        _ = space.Protect((ulong)start, (ulong)image.Length, Protection.Read | Protection.Execute);
        return (ulong)start;
    }

    /// <summary>Where riscv64's signal handlers return to.</summary>
    public static ulong SignalReturn(ulong vdso) => vdso + (ulong)TextAt(s_riscv);

    /// <summary>The image as a file and in memory: one page, to be mapped anywhere. Null for a target without one.</summary>
    public static byte[]? Build(Target target) => target.Abi switch
    {
        AbiKind.RiscV64 => Build(target.Machine, s_riscv, "LINUX_4.15", RiscVCode),
        AbiKind.X64 => Build(target.Machine, s_x64, "LINUX_2.6", X64Code),
        _ => null,
    };

    private const int CodeSize = 16;

    // li a7, number; ecall; ret
    private static void RiscVCode(Span<byte> code, int number)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(code, 0x0000_0893 | (uint)number << 20);
        BinaryPrimitives.WriteUInt32LittleEndian(code[4..], 0x0000_0073);
        BinaryPrimitives.WriteUInt32LittleEndian(code[8..], 0x0000_8067);
    }

    // mov eax, number; syscall; ret
    private static void X64Code(Span<byte> code, int number)
    {
        code[0] = 0xB8;
        BinaryPrimitives.WriteInt32LittleEndian(code[1..], number);
        ((ReadOnlySpan<byte>)[0x0F, 0x05, 0xC3]).CopyTo(code[5..]);
    }

    private delegate void Emit(Span<byte> code, int number);

    // The text lies at the page's end, so that its place depends on the functions alone.
    private static int TextAt(Function[] functions) => Page - CodeSize * functions.Length;

    /// <summary>The hash of ELF's symbol tables (System V gABI, "Hash Table").</summary>
    private static uint Hash(string name)
    {
        uint h = 0;
        foreach (char c in name)
        {
            h = (h << 4) + c;
            uint g = h & 0xF000_0000;
            h = (h ^ g >> 24) & ~g;
        }
        return h;
    }

    private static byte[] Build(ushort machine, Function[] functions, string version, Emit emit)
    {
        const string Name = "linux-vdso.so.1";
        string[] sections = ["", ".hash", ".dynsym", ".dynstr", ".gnu.version", ".gnu.version_d", ".dynamic", ".text", ".shstrtab"];
        const ushort TextSection = 7, NamesSection = 8;
        byte[] image = new byte[Page];
        int text = TextAt(functions), count = functions.Length + 1;

        // Strings.
        var strings = new StringBuilder("\0");
        int Put(string s)
        {
            int at = strings.Length;
            strings.Append(s).Append('\0');
            return at;
        }
        int soname = Put(Name), versionName = Put(version);
        int[] names = [.. functions.Select(f => Put(f.Name))];

        int hash = HeaderSize + 2 * ProgramHeaderSize;
        int symbols = (hash + 4 * (2 + 1 + count) + 7) & ~7;
        int stringsAt = symbols + SymbolSize * count;
        int versions = (stringsAt + strings.Length + 1) & ~1;
        int definitions = (versions + 2 * count + 7) & ~7;
        const int DefinitionSize = 20, AuxiliarySize = 8, DefinitionsSize = 2 * (DefinitionSize + AuxiliarySize);
        int dynamic = (definitions + DefinitionsSize + 7) & ~7;
        (long Tag, long Value)[] entries =
        [
            (14, soname), (4, hash), (5, stringsAt), (6, symbols), (10, strings.Length), (11, SymbolSize), (0x6FFF_FFF0, versions), (0x6FFF_FFFC, definitions), (0x6FFF_FFFD, 2), (0, 0),
        ];
        int sectionNames = dynamic + 16 * entries.Length;
        string allNames = string.Concat(sections.Select(s => s + "\0"));
        int headers = (sectionNames + allNames.Length + 7) & ~7;

        void Half(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(at), (ushort)value);
        void Word(int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at), value);
        void Long(int at, long value) => BinaryPrimitives.WriteInt64LittleEndian(image.AsSpan(at), value);

        // ELF header: 64-bit, little-endian, ET_DYN.
        "\u007fELF\u0002\u0001\u0001"u8.CopyTo(image);
        Half(16, 3);
        Half(18, machine);
        Word(20, 1);
        Long(32, HeaderSize);
        Long(40, headers);
        Half(52, HeaderSize);
        Half(54, ProgramHeaderSize);
        Half(56, 2);
        Half(58, SectionHeaderSize);
        Half(60, sections.Length);
        Half(62, NamesSection);

        // One PT_LOAD (R, X) and PT_DYNAMIC (R: nobody relocates it).
        void Program(int at, uint type, uint flags, int offset, int size, int alignment)
        {
            Word(at, type);
            Word(at + 4, flags);
            Long(at + 8, offset);
            Long(at + 16, offset);
            Long(at + 24, offset);
            Long(at + 32, size);
            Long(at + 40, size);
            Long(at + 48, alignment);
        }
        Program(HeaderSize, 1, 5, 0, Page, Page);
        Program(HeaderSize + ProgramHeaderSize, 2, 4, dynamic, 16 * entries.Length, 8);

        // One bucket, a chain of all.
        Word(hash, 1);
        Word(hash + 4, (uint)count);
        Word(hash + 8, 1);
        for (int i = 1; i < count - 1; i++)
            Word(hash + 12 + 4 * i, (uint)i + 1);

        for (int i = 0; i < functions.Length; i++)
        {
            int at = symbols + SymbolSize * (i + 1), code = text + CodeSize * i;
            emit(image.AsSpan(code), functions[i].Number);
            // STB_GLOBAL, STT_FUNC.
            Word(at, (uint)names[i]);
            image[at + 4] = 0x12;
            Half(at + 6, TextSection);
            Long(at + 8, code);
            Long(at + 16, CodeSize);
            Half(versions + 2 * (i + 1), 2);
        }
        Encoding.ASCII.GetBytes(strings.ToString()).CopyTo(image, stringsAt);

        // Elf64_Verdef with one Elf64_Verdaux each: the file itself (VER_FLG_BASE), and the version.
        void Definition(int at, int flags, int index, string name, int nameAt, int next)
        {
            Half(at, 1);
            Half(at + 2, flags);
            Half(at + 4, index);
            Half(at + 6, 1);
            Word(at + 8, Hash(name));
            Word(at + 12, DefinitionSize);
            Word(at + 16, (uint)next);
            Word(at + DefinitionSize, (uint)nameAt);
        }
        Definition(definitions, 1, 1, Name, soname, DefinitionSize + AuxiliarySize);
        Definition(definitions + DefinitionSize + AuxiliarySize, 0, 2, version, versionName, 0);
        for (int i = 0; i < entries.Length; i++)
        {
            Long(dynamic + 16 * i, entries[i].Tag);
            Long(dynamic + 16 * i + 8, entries[i].Value);
        }

        // Sections, for debuggers alone.
        Encoding.ASCII.GetBytes(allNames).CopyTo(image, sectionNames);
        int nameOffset = 0;
        void Section(int index, uint type, long flags, int at, int size, int link, int info, int entry)
        {
            int header = headers + SectionHeaderSize * index;
            Word(header, (uint)nameOffset);
            nameOffset += sections[index].Length + 1;
            Word(header + 4, type);
            Long(header + 8, flags);
            Long(header + 16, flags == 0 ? 0 : at);
            Long(header + 24, at);
            Long(header + 32, size);
            Word(header + 40, (uint)link);
            Word(header + 44, (uint)info);
            Long(header + 48, index == 0 ? 0 : 1);
            Long(header + 56, entry);
        }
        const int Allocated = 2, Executable = 4;
        Section(0, 0, 0, 0, 0, 0, 0, 0);
        Section(1, 5, Allocated, hash, 4 * (2 + 1 + count), 2, 0, 4);
        Section(2, 11, Allocated, symbols, SymbolSize * count, 3, 1, SymbolSize);
        Section(3, 3, Allocated, stringsAt, strings.Length, 0, 0, 0);
        Section(4, 0x6FFF_FFFF, Allocated, versions, 2 * count, 2, 0, 2);
        Section(5, 0x6FFF_FFFD, Allocated, definitions, DefinitionsSize, 3, 2, 0);
        Section(6, 6, Allocated, dynamic, 16 * entries.Length, 3, 0, 16);
        Section(7, 1, Allocated | Executable, text, CodeSize * functions.Length, 0, 0, 0);
        Section(8, 3, 0, sectionNames, allNames.Length, 0, 0, 0);
        if (headers + SectionHeaderSize * sections.Length > text)
            throw new InvalidOperationException("the vDSO does not fit a page");
        return image;
    }
}
