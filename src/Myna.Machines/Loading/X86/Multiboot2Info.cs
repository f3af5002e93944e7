namespace Myna.Machines.Loading.X86;

/// <summary>What a multiboot 2 kernel is passed (Multiboot2 Specification 2.0, section 3.6): tags, each aligned to 8 bytes.</summary>
internal static class Multiboot2Info
{
    /// <summary>In EAX at the kernel's entry.</summary>
    public const uint Magic = 0x36d76289;

    private const uint CommandLine = 1, LoaderName = 2, Module = 3, BasicMemory = 4, MemoryMap = 6, OldRsdp = 14, NewRsdp = 15, LoadBase = 21;
    private const int EntrySize = 24, OldRsdpSize = 20;

    /// <param name="rsdp">The ACPI root pointer as it lies in memory, or empty.</param>
    /// <param name="loadBase">Where the kernel was loaded, for one that is relocatable.</param>
    public static byte[] Build(PcMemory memory, string commandLine, IReadOnlyList<BootModule> modules, ReadOnlySpan<byte> rsdp, uint? loadBase)
    {
        var tags = new ByteWriter();
        Add(CommandLine, new ByteWriter().CString(commandLine));
        Add(LoaderName, new ByteWriter().CString("Myna"));
        foreach (BootModule m in modules)
            Add(Module, new ByteWriter().U32((uint)m.Start).U32((uint)(m.Start + m.Size)).CString(m.CommandLine));
        Add(BasicMemory, new ByteWriter().U32((uint)(PcMemory.LowEnd >> 10)).U32((uint)((memory.BelowHole - PcMemory.High) >> 10)));
        var map = new ByteWriter().U32(EntrySize).U32(0);
        foreach (E820Entry e in memory.Map)
            map.U64(e.Start).U64(e.Size).U32((uint)e.Type).U32(0);
        Add(MemoryMap, map);
        if (rsdp.StartsWith("RSD PTR "u8))
        {
            Add(OldRsdp, new ByteWriter().Bytes(rsdp[..OldRsdpSize]));
            Add(NewRsdp, new ByteWriter().Bytes(rsdp));
        }
        if (loadBase is { } address)
            Add(LoadBase, new ByteWriter().U32(address));
        Add(0, new ByteWriter());
        return new ByteWriter().U32((uint)tags.Length + 8).U32(0).Bytes(tags.ToArray()).ToArray();

        void Add(uint type, ByteWriter content) => tags.U32(type).U32((uint)content.Length + 8).Bytes(content.ToArray()).Align(8);
    }
}
