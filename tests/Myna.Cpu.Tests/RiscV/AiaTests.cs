using Myna.Cpu.RiscV;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.Time;

namespace Myna.Cpu.Tests.RiscV;

/// <summary>Advanced Interrupt Architecture 1.0, chapters 2 and 5.</summary>
public sealed class AiaTests
{
    private const int Siselect = 0x150, Sireg = 0x151, Stopei = 0x15C, Stopi = 0xDB0, Miselect = 0x350, Mireg = 0x351, Mtopei = 0x35C, Mtopi = 0xFB0, Mie = 0x304, Mideleg = 0x303;
    private readonly Hart _hart = new(new HartOptions { Memory = new AddressSpace(), Clock = new ManualClock() });
    private readonly File _file = new();

    private sealed class File : IInterruptFile
    {
        public uint Top { get; set; }
        public int Claims { get; private set; }
        public List<(int Select, ulong Keep, ulong Set)> Changes { get; } = [];

        public void Claim() => Claims++;

        public ulong Modify(int select, ulong keep, ulong set)
        {
            Changes.Add((select, keep, set));
            return 0xabc;
        }
    }

    private ulong Read(int csr)
    {
        Assert.True(_hart.Csr(csr, CsrOp.Set, 0, false, out ulong value));
        return value;
    }

    private void Write(int csr, ulong value) => Assert.True(_hart.Csr(csr, CsrOp.Write, value, true, out _));

    [Fact]
    public void Without_interrupt_files_the_csrs_do_not_exist()
    {
        foreach (int csr in new[] { Siselect, Sireg, Stopei, Stopi, Miselect, Mireg, Mtopei, Mtopi })
            Assert.False(_hart.Csr(csr, CsrOp.Set, 0, false, out _));
        _hart.SupervisorFile = _file;
        Assert.True(_hart.Csr(Stopi, CsrOp.Set, 0, false, out _));
        Assert.False(_hart.Csr(Mtopi, CsrOp.Set, 0, false, out _));
    }

    [Fact]
    public void Topei_shows_the_top_and_any_write_claims_it()
    {
        _hart.MachineFile = _file;
        _file.Top = 5 << 16 | 5;
        Assert.Equal(0x5_0005u, Read(Mtopei));
        Assert.Equal(0, _file.Claims);
        Assert.True(_hart.Csr(Mtopei, CsrOp.Write, 0, true, out ulong old));
        Assert.Equal((0x5_0005ul, 1), (old, _file.Claims));
    }

    [Fact]
    public void Ireg_reaches_the_selected_register_with_the_instructions_modification()
    {
        _hart.SupervisorFile = _file;
        Write(Siselect, 0xC0);
        Assert.Equal(0xC0ul, Read(Siselect));
        Assert.Equal(0xABCul, Read(Sireg));
        Write(Sireg, 6);
        Assert.True(_hart.Csr(Sireg, CsrOp.Set, 8, true, out _));
        Assert.True(_hart.Csr(Sireg, CsrOp.Clear, 2, true, out _));
        Assert.Equal([(0xC0, ulong.MaxValue, 0ul), (0xC0, 0ul, 6ul), (0xC0, ulong.MaxValue, 8ul), (0xC0, ~2ul, 0ul)], _file.Changes);
    }

    [Theory]
    [InlineData(0x00, false)]
    [InlineData(0x30, true)]
    [InlineData(0x31, false)]
    [InlineData(0x40, false)]
    [InlineData(0x70, true)]
    [InlineData(0x80, true)]
    [InlineData(0x81, false)]
    [InlineData(0xFE, true)]
    [InlineData(0xFF, false)]
    public void Selections_that_do_not_exist_are_illegal(ulong select, bool exists)
    {
        _hart.SupervisorFile = _file;
        Write(Siselect, select);
        Assert.Equal(exists, _hart.Csr(Sireg, CsrOp.Set, 0, false, out _));
    }

    [Fact]
    public void Topi_names_the_major_interrupt_of_the_highest_priority_of_its_level()
    {
        _hart.SupervisorFile = _hart.MachineFile = _file;
        Write(Mideleg, 1 << 9 | 1 << 5 | 1 << 1);
        _hart.SetLevel(9, true);
        _hart.SetLevel(7, true);
        _hart.SetLevel(11, true);
        Assert.Equal((0ul, 0ul), (Read(Stopi), Read(Mtopi)));
        Write(Mie, 1 << 9 | 1 << 7 | 1 << 11);
        Assert.Equal((9ul << 16 | 1, 11ul << 16 | 1), (Read(Stopi), Read(Mtopi)));
        _hart.SetLevel(11, false);
        Assert.Equal(7ul << 16 | 1, Read(Mtopi));
    }
}
