using Myna.Devices.Interrupts;
using Myna.Devices.Tests.Support;

namespace Myna.Devices.Tests.Interrupts;

/// <summary>Advanced Interrupt Architecture 1.0, chapter 4.</summary>
public sealed class AplicTests
{
    private const ulong domaincfg = 0, sourcecfg = 4, setip = 0x1c00, setipnum = 0x1cdc, in_clrip = 0x1d00, clripnum = 0x1ddc, setie = 0x1e00, setienum = 0x1edc,
        clrienum = 0x1fdc, setipnum_le = 0x2000, genmsi = 0x3000, target = 0x3004;
    private const uint Edge1 = 4, Edge0 = 5, Level1 = 6, Level0 = 7;
    private const int Source = 10;
    private readonly Imsic _supervisor, _machine;
    private readonly Aplic _child, _root;

    public AplicTests()
    {
        _supervisor = Files();
        _machine = Files();
        _child = new Aplic(96, _supervisor, root: false);
        _root = new Aplic(96, _machine, _child);
    }

    private static Imsic Files()
    {
        var imsic = new Imsic(0, [default, default]);
        for (int hart = 0; hart < 2; hart++)
        {
            imsic[hart].Modify(0x70, 0, 1);
            imsic[hart].Modify(0xc0, 0, ulong.MaxValue);
        }
        return imsic;
    }

    /// <summary>The identity that arrived at a hart, which is taken; 0 for none.</summary>
    private static uint Take(Imsic imsic, int hart)
    {
        uint identity = imsic[hart].Top >> 16;
        imsic[hart].Claim();
        return identity;
    }

    private static void Prepare(Aplic aplic, uint mode)
    {
        aplic.Store(domaincfg, 0x100);
        aplic.Store(sourcecfg + 4 * (Source - 1), mode);
        aplic.Store(target + 4 * (Source - 1), 1 << 18 | 33);
        aplic.Store(setienum, Source);
    }

    [Fact]
    public void A_level_sends_one_message_when_it_rises_and_another_when_the_handler_asks_and_it_is_still_high()
    {
        Prepare(_root, Level1);
        _root.SetLevel(Source, true);
        Assert.Equal(33u, Take(_machine, 1));
        Assert.Equal(0u, Take(_machine, 1));
        _root.Store(setipnum_le, Source);
        Assert.Equal(33u, Take(_machine, 1));
        _root.SetLevel(Source, false);
        _root.Store(setipnum_le, Source);
        Assert.Equal(0u, Take(_machine, 1));
    }

    [Theory]
    [InlineData(Edge1, true, true)]
    [InlineData(Edge1, false, false)]
    [InlineData(Edge0, false, true)]
    [InlineData(Level0, false, true)]
    [InlineData(1u, true, false)]
    public void A_change_of_the_input_counts_as_the_mode_says(uint mode, bool level, bool expected)
    {
        _root.SetLevel(Source, !level);
        Prepare(_root, mode);
        Take(_machine, 1);
        _root.SetLevel(Source, level);
        Assert.Equal(expected ? 33u : 0, Take(_machine, 1));
    }

    [Fact]
    public void A_disabled_source_stays_pending_until_it_is_enabled()
    {
        Prepare(_root, Edge1);
        _root.Store(clrienum, Source);
        _root.SetLevel(Source, true);
        Assert.Equal(1u << Source, _root.Load(setip));
        Assert.Equal(1u << Source, _root.Load(in_clrip));
        Assert.Equal(0u, Take(_machine, 1));
        _root.Store(setie, 1u << Source);
        Assert.Equal(33u, Take(_machine, 1));
        Assert.Equal(0u, _root.Load(setip));
    }

    [Fact]
    public void Nothing_is_sent_while_the_domain_is_off()
    {
        Prepare(_root, Level1);
        _root.Store(domaincfg, 0);
        _root.SetLevel(Source, true);
        Assert.Equal(0u, Take(_machine, 1));
        _root.Store(domaincfg, 0x100);
        Assert.Equal(33u, Take(_machine, 1));
        Assert.Equal(0x8000_0104u, _root.Load(domaincfg));
    }

    [Fact]
    public void A_level_that_falls_before_it_was_sent_is_forgotten_and_an_edge_is_not()
    {
        foreach ((uint mode, uint pending) in new[] { (Level1, 0u), (Edge1, 1u << Source) })
        {
            Prepare(_root, mode);
            _root.Store(clrienum, Source);
            _root.SetLevel(Source, true);
            _root.SetLevel(Source, false);
            Assert.Equal(pending, _root.Load(setip));
        }
        _root.Store(clripnum, Source);
        Assert.Equal(0u, _root.Load(setip));
    }

    [Fact]
    public void A_delegated_source_belongs_to_the_child_alone()
    {
        Prepare(_child, Level1);
        _root.SetLevel(Source, true);
        Assert.Equal(0u, _child.Load(sourcecfg + 4 * (Source - 1)));
        _root.Store(sourcecfg + 4 * (Source - 1), 0x400);
        Prepare(_child, Level1);
        Assert.Equal(33u, Take(_supervisor, 1));
        Assert.Equal(0u, Take(_machine, 1));
        Assert.Equal(0x400u, _root.Load(sourcecfg + 4 * (Source - 1)));
        _root.Store(sourcecfg + 4 * (Source - 1), 0);
        Assert.Equal(0u, _child.Load(sourcecfg + 4 * (Source - 1)));
        _child.Store(setipnum, Source);
        Assert.Equal(0u, Take(_supervisor, 1));
    }

    [Fact]
    public void Inactive_sources_and_those_beyond_the_last_have_no_registers()
    {
        _root.Store(setienum, 5);
        _root.Store(target + 4 * 4, 99);
        _root.Store(setipnum, 97);
        _root.Store(sourcecfg + 4 * 96, Edge1);
        Assert.Equal((0u, 0u, 0u), (_root.Load(setie), _root.Load(target + 4 * 4), _root.Load(sourcecfg + 4 * 96)));
        Prepare(_root, Edge1);
        _root.Store(sourcecfg + 4 * (Source - 1), 2);
        Assert.Equal((0u, 0u), (_root.Load(sourcecfg + 4 * (Source - 1)), _root.Load(target + 4 * (Source - 1))));
    }

    [Fact]
    public void A_message_can_be_sent_by_hand()
    {
        _root.Store(genmsi, 1 << 18 | 12);
        Assert.Equal(12u, Take(_machine, 1));
        _root.Store(genmsi, 7u << 18 | 12); // no such hart
    }
}
