using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Myna.Cpu.RiscV.Instructions;
using Myna.Jit.Memory;

namespace Myna.Cpu.RiscV;

/// <summary>
/// Predecoded instructions of the physical pages that one hart executes. Stores are not watched: RISC-V promises a hart
/// to fetch what was stored only after its FENCE.I; from then on each page is compared with memory before it is used again.
/// </summary>
internal sealed class CodeCache
{
    public const int PageSize = 4096;

    /// <summary>Instructions begin at even addresses.</summary>
    public const int Slots = PageSize / 2;

    private const int Entries = 1024;
    private readonly Page?[] _pages = new Page?[Entries];
    private uint _generation = 1;

    /// <summary>One slot for each even address.</summary>
    [InlineArray(Slots)]
    public struct SlotArray
    {
        private Fields _first;
    }

    /// <summary>From a copy of the bytes, so that what was decoded and what is compared are the same.</summary>
    public sealed class Page
    {
        internal CodePage Source;
        internal uint Generation;
        internal readonly byte[] Bytes = new byte[PageSize];

        /// <summary>Slots with <see cref="Opcode.Invalid"/> are yet to be decoded.</summary>
        public SlotArray Code;

        /// <summary>Fills a slot.</summary>
        /// <returns>False: the instruction straddles the page's end, or is invalid; neither is kept.</returns>
        public bool Decode(int slot)
        {
            ReadOnlySpan<byte> bytes = Bytes.AsSpan(slot * 2);
            uint raw = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
            if ((raw & 3) == 3)
            {
                if (bytes.Length == 2)
                    return false;
                raw = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            }
            Code[slot] = InstructionTable.Decode(raw);
            return Code[slot].Op != Opcode.Invalid;
        }
    }

    /// <summary>Pages compared with memory, and pages decoded from the start.</summary>
    public ulong Refreshes { get; private set; }
    public ulong Fills { get; private set; }

    /// <summary>Every page is compared with memory before its next use.</summary>
    public void Invalidate() => _generation++;

    public Page Get(CodePage source)
    {
        Page? page = _pages[(int)(source.Address >> 12) & (Entries - 1)];
        return page is not null && page.Source == source && page.Generation == _generation ? page : Refresh(source);
    }

    private Page Refresh(CodePage source)
    {
        ref Page? slot = ref _pages[(int)(source.Address >> 12) & (Entries - 1)];
        Page page = slot ??= new Page();
        if (page.Source != source || !source.Bytes.SequenceEqual(page.Bytes))
        {
            source.Bytes.CopyTo(page.Bytes);
            page.Code = default;
            page.Source = source;
            Fills++;
        }
        Refreshes++;
        page.Generation = _generation;
        return page;
    }
}
