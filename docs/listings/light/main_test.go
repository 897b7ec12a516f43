package main

func Example() {
	main()
	// Output:
	// the light is on
	// the light is off
	// the light is on
	// presses: 3
}
