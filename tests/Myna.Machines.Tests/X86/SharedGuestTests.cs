using System.Reflection;
using System.Runtime.ExceptionServices;
using Myna.Machines.Tests.Support;
using Xunit.Sdk;

namespace Myna.Machines.Tests.X86;

/// <summary>The guests that the interpreter runs in <see cref="PcMachineTests"/> give the same results translated, and under KVM wherever interrupt controllers are.</summary>
public sealed class SharedGuestTests
{
    private static readonly string[] s_shared =
    [
        nameof(PcMachineTests.A_test_program_prints_and_ends_with_its_status), nameof(PcMachineTests.Real_mode_code_reads_the_memory_map_and_finds_no_other_service),
        nameof(PcMachineTests.A_second_serial_port_is_there_when_it_is_wanted), nameof(PcMachineTests.The_power_button_reaches_the_guest), nameof(PcMachineTests.The_port_of_the_debug_exit_can_be_chosen),
        nameof(PcMachineTests.An_x87_exception_without_NE_is_IRQ_13), nameof(PcMachineTests.The_machines_switch_off_by_their_acpi_registers),
        nameof(PcMachineTests.The_machines_reset_by_their_reset_registers), nameof(PcMachineTests.A_pc_resets_by_its_reset_control_register), nameof(PcMachineTests.A_triple_fault_resets),
    ];

    public static TheoryData<string> Translated => Rows("jit");

    public static TheoryData<string> Virtualized => Rows("kvm off", "kvm split", "kvm full");

    [Theory]
    [MemberData(nameof(Translated))]
    public void A_shared_guest_translated(string name) => Run(name);

    [TheoryIfKvm]
    [MemberData(nameof(Virtualized))]
    public void A_shared_guest_under_Kvm(string name) => Run(name);

    private static TheoryData<string> Rows(params string[] engines)
    {
        TheoryData<string> rows = [];
        foreach (string engine in engines)
        {
            foreach ((string name, MethodInfo _, object?[] _) in Guests())
                rows.Add($"{engine}: {name}");
        }
        return rows;
    }

    private static void Run(string row)
    {
        (string _, MethodInfo method, object?[] arguments) = Guests().First(g => row.EndsWith($": {g.Name}", StringComparison.Ordinal));
        string[] engine = row[..row.IndexOf(':', StringComparison.Ordinal)].Split(' ');
        Accel accel = Enum.Parse<Accel>(engine[0], ignoreCase: true);
        Irqchip irqchip = engine.Length == 1 ? Irqchip.Auto : Enum.Parse<Irqchip>(engine[1], ignoreCase: true);
        using var tests = new PcMachineTests();
        GuestEngine.With(accel, irqchip, () =>
        {
            try
            {
                method.Invoke(tests, arguments);
            }
            catch (TargetInvocationException e)
            {
                ExceptionDispatchInfo.Throw(e.InnerException!);
            }
        });
    }

    private static IEnumerable<(string Name, MethodInfo Method, object?[] Arguments)> Guests()
    {
        foreach (MethodInfo method in s_shared.Select(n => typeof(PcMachineTests).GetMethod(n)!))
        {
            object?[][] rows = [.. method.GetCustomAttributes<DataAttribute>().SelectMany(d => d.GetData(method))];
            if (rows.Length == 0)
                rows = [[]];
            foreach (object?[] row in rows)
            {
                ParameterInfo[] parameters = method.GetParameters();
                object?[] arguments = [.. row.Select((v, i) => Convert.ChangeType(v, parameters[i].ParameterType, System.Globalization.CultureInfo.InvariantCulture))];
                yield return ($"{method.Name}({string.Join(", ", row)})", method, arguments);
            }
        }
    }
}
